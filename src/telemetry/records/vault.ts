import type { Log } from '../log.ts'

/** The events of the vault. */
export type VaultRecord = ReturnType<typeof createVaultRecord>

export function createVaultRecord({ log }: { readonly log: Log }) {
  return {
    keyFileCreated: (path: string): void =>
      log.warn('key-file-created', {
        path,
        advice:
          'In production keep the master key apart from the database, and a copy of it apart from both.',
      }),
  }
}
