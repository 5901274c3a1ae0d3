import { type Clock, type Hostname, seconds } from '../kernel/index.ts'
import type { HotPaths } from '../store/index.ts'
import type { CertsRecord } from '../telemetry/index.ts'
import type { Vault } from '../vault/index.ts'
import { buildContext, type ServedContext } from './build-context.ts'
import { createTurnstile } from './turnstile.ts'

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
export const RETRY_AFTER = seconds(3)
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
    if (row.id === earlier?.certificateId) {
      const isRevoked = row.revoked_at !== null
      const same = earlier.isRevoked === isRevoked ? earlier : { ...earlier, isRevoked }
      return { served: same, freshUntilMs: FOR_EVER }
    }
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
