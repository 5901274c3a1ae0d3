/**
 * vault: seals secrets for the database and opens them where they belong. Envelope encryption: a
 * data key per secret, wrapped by a key-encryption key that is kept elsewhere. Knows neither tables
 * nor what the secrets are for; the byte format is in certs-store/README.md.
 */
export { type SealedBytes, toSealedBytes } from './envelope.ts'
export { VaultError, type VaultErrorCode } from './errors.ts'
export { type KeyCheck, sealKeyCheck, verifyKeyChecks, verifySealedWith } from './key-check.ts'
export { addKeyToFile, keyFileOf, removeKeysFromFile } from './key-file.ts'
export {
  drawKey,
  type ExportedKeyRing,
  exportKeyRing,
  holdKeyRing,
  importKeyRing,
  joinKeyRings,
  type KeyEncryptionKey,
  type KeyRing,
  type KeyRingHolder,
  keysOf,
  sealingWith,
} from './key-ring.ts'
export type { EnvironmentVariables, KeyFileRecord } from './key-sources/key-source.ts'
export { type OpenKeyRingDeps, openKeyRing } from './open-key-ring.ts'
export type { VaultOptions } from './options.ts'
export type { SealContext, SealPurpose } from './seal-context.ts'
export { createVault, type Rewrapped, type Vault } from './vault.ts'
