import type { CertificateRow, HitRow } from './schema.ts'

/** What the edge needs of a certificate on a cache miss. */
export type ServedCertificateRow = Pick<
  CertificateRow,
  'id' | 'serial' | 'not_after' | 'chain_pem' | 'sealed_key' | 'key_type' | 'revoked_at'
>

/** A batch is read in a few milliseconds, so that nobody else waits long. */
export const HOSTNAMES_PER_BATCH = 10_000

/** The queries on which a visitor waits. One round trip each. */
export interface HotPaths {
  /** The current certificate of a host that is not retired. */
  servedCertificate(hostname: string): Promise<ServedCertificateRow | undefined>
  /** The key authorization shown for this token now (`expires_at` after `nowMs`). */
  keyAuthorization(hostname: string, token: string, nowMs: number): Promise<string | undefined>
  /** Is this a host of ours, in any state but retired? */
  hasHost(hostname: string): Promise<boolean>
  /** All such hosts, in batches: for filling the edge's directory at start. */
  hostnames(): AsyncIterable<readonly string[]>
  /** Appends hits in one durable transaction. A repeated id changes nothing. */
  appendHits(hits: readonly HitRow[]): Promise<void>
}
