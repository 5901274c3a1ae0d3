import { createPrivateKey, type KeyObject } from 'node:crypto'
import { type Clock, type Hostname, newId, type Random } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { Vault } from '../vault/index.ts'
import { type Certificate, type VerifiedChain, verifyIssued } from './certificate.ts'
import { certificateToRow, keyContext } from './certificate-row.ts'

/** What a transaction of the store hands to its work. */
export type StoreTransaction = Parameters<Parameters<Store['transaction']>[0]>[0]

/** An issued certificate to be kept. */
export interface CertificateDraft {
  readonly hostname: Hostname
  /** As the CA sent it. */
  readonly chainPem: string
  /** The caller zeroes it. */
  readonly keyPkcs8Der: Buffer
  readonly renewAt: Date
  readonly renewBecause: string
  readonly source: string
  /** For callers that may save twice: the same id twice is a unique violation. */
  readonly id?: string
}

export interface SavingDeps {
  readonly vault: Pick<Vault, 'seal'>
  readonly clock: Clock
  readonly random: Random
}

export async function saveIssued(
  draft: CertificateDraft,
  db: Store['db'],
  deps: SavingDeps,
): Promise<Certificate> {
  const { hostname, chainPem, renewAt, renewBecause, source } = draft
  const privateKey = createPrivateKey({ key: draft.keyPkcs8Der, format: 'der', type: 'pkcs8' })
  const now = deps.clock.now()
  const verified = verifyIssued({ chainPem, privateKey, hostname, now })
  const facts = { id: draft.id, hostname, renewAt, renewBecause, source, askAt: now }
  return saveVerified({ ...facts, verified, privateKey }, db, deps)
}

/** What passed every test. */
export interface VerifiedDraft
  extends Pick<Certificate, 'hostname' | 'renewAt' | 'renewBecause' | 'source' | 'askAt'> {
  readonly id?: string | undefined
  readonly verified: VerifiedChain
  readonly privateKey: KeyObject
}

/** Seals the key and writes the row. */
export async function saveVerified(
  { verified, privateKey, id, ...facts }: VerifiedDraft,
  db: Store['db'],
  { vault, clock, random }: SavingDeps,
): Promise<Certificate> {
  const certificate: Certificate = {
    ...verified,
    ...facts,
    id: id ?? newId({ clock, random }),
    createdAt: clock.now(),
    isCurrent: false,
    ...{ window: undefined, explanationUrl: undefined, revokedAt: undefined },
  }
  const keyPem = toPemBytes(privateKey)
  try {
    const sealedKey = vault.seal(keyPem, keyContext(facts.hostname, certificate.id))
    await db
      .insertInto('certificates')
      .values({ ...certificateToRow(certificate), sealed_key: sealedKey })
      .execute()
  } finally {
    keyPem.fill(0)
  }
  return certificate
}

/** Sealed as PEM, because that is what the edge hands to OpenSSL, without another copy. */
function toPemBytes(privateKey: KeyObject): Buffer {
  return Buffer.from(privateKey.export({ format: 'pem', type: 'pkcs8' }))
}
