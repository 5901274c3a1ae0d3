import type { HitRow } from '../store/index.ts'

/** One open or click, as it happens. */
export interface Hit {
  readonly id: string
  readonly at: Date
  readonly kind: 'click' | 'open'
  readonly hostname: string
  readonly reference: string
  /** Where a click led. */
  readonly target: string | undefined
  readonly address: string
  readonly userAgent: string
  /** The request that the operator's backend has not seen yet: it did not answer. */
  readonly owed?: OwedRequest | undefined
}

/** What of a request a backend needs to count it, besides what each hit knows. */
export interface OwedRequest {
  /** As it was asked for, byte for byte. */
  readonly target: string
  readonly scheme: 'http' | 'https'
  /** The port that the visitor came to. */
  readonly port: number
}

export function hitToRow(hit: Hit): HitRow {
  return {
    id: hit.id,
    at: hit.at.getTime(),
    kind: hit.kind,
    hostname: hit.hostname,
    reference: hit.reference,
    target: hit.target ?? null,
    address: hit.address,
    user_agent: hit.userAgent,
  }
}
