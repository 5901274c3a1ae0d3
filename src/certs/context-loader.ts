import { createSecureContext, type SecureContext } from 'node:tls'
import { type Clock, type Hostname, seconds } from '../kernel/index.ts'
import { contextCiphers } from '../net/index.ts'
import type { HotPaths, ServedCertificateRow } from '../store/index.ts'
import type { CertsRecord } from '../telemetry/index.ts'
import { toSealedBytes, type Vault } from '../vault/index.ts'
import { keyContext } from './certificate-row.ts'
import { createTurnstile } from './turnstile.ts'

/** A certificate ready to be served: OpenSSL holds its key. */
export interface ServedContext {
  readonly context: SecureContext
  readonly certificateId: string
  readonly serial: string
  readonly notAfter: Date
}

/** What was found out about a host, and until when that is good enough (monotonic). */
export interface LoadedContext {
  readonly served: ServedContext | undefined
  readonly freshUntilMs: number
}

export interface ContextLoaderDeps {
  readonly hot: Pick<HotPaths, 'servedCertificate'>
  readonly vault: Pick<Vault, 'open'>
  readonly clock: Clock
  readonly record?: Pick<CertsRecord, 'contextBuilt' | 'contextKept' | 'certificateUnusable'>
}

/** Reads what the store says of a host and makes a context of it, if `earlier` is not that one. */
export type LoadContext = (
  hostname: Hostname,
  earlier: ServedContext | undefined,
) => Promise<LoadedContext>

/** How long nothing is asked again: one query per host in this time, whoever knocks. */
const RETRY_AFTER = seconds(3)
/** 0.3 ms each: a flood of new names must not hold up those that are under way. */
const BUILDS_PER_TURN = 8
const FOR_EVER = Number.POSITIVE_INFINITY

/**
 * One row, one unseal, one context. When the store is down, or the row cannot be used, the earlier
 * context goes on: it is the host's own, and most likely still valid. Throws what the store throws,
 * when there is none.
 */
export function createContextLoader({ hot, vault, clock, record }: ContextLoaderDeps): LoadContext {
  const passTurnstile = createTurnstile(BUILDS_PER_TURN)

  const forNow = (served: ServedContext | undefined): LoadedContext => ({
    served,
    freshUntilMs: clock.monotonicMs() + RETRY_AFTER,
  })
  return async (hostname, earlier) => {
    const row = await hot.servedCertificate(hostname).catch((error: unknown) => {
      if (!earlier) throw error
      record?.contextKept({ hostname, certificateId: earlier.certificateId, error })
      return 'unknown' as const
    })
    if (row === undefined) return forNow(undefined)
    if (row === 'unknown') return forNow(earlier)
    if (row.id === earlier?.certificateId) return { served: earlier, freshUntilMs: FOR_EVER }
    await passTurnstile()
    try {
      const served = buildContext(row, hostname, vault)
      record?.contextBuilt()
      return { served, freshUntilMs: FOR_EVER }
    } catch (error) {
      record?.certificateUnusable({ hostname, certificateId: row.id, error })
      return forNow(earlier)
    }
  }
}

/** Throws when the row was altered: another host's key, a key of another certificate, no PEM. */
function buildContext(
  row: ServedCertificateRow,
  hostname: Hostname,
  vault: Pick<Vault, 'open'>,
): ServedContext {
  const keyPem = vault.open(toSealedBytes(row.sealed_key), keyContext(hostname, row.id))
  try {
    return {
      // Never `ca`: three certificates there cost 18 KB and 160 µs each time.
      context: createSecureContext({
        key: keyPem,
        cert: row.chain_pem,
        ciphers: contextCiphers(row.key_type === 'rsa' ? 'rsa' : 'ec'),
      }),
      certificateId: row.id,
      serial: row.serial,
      notAfter: new Date(row.not_after),
    }
  } finally {
    keyPem.fill(0)
  }
}
