import type { Clock, Hostname } from '../kernel/index.ts'
import { seconds } from '../kernel/index.ts'
import type { Schema, Transaction } from '../store/index.ts'
import type { AcmeRecord } from '../telemetry/index.ts'
import { ACCOUNT_BUCKET } from './budget.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import type { LedgerRows } from './ledger-rows.ts'

/** What CAs told us although we did not foresee it: 429, and until when. */
export interface ToldToWait {
  /** Obeys, reports, and sees whether the whole account is meant. */
  refused(ca: CertificateAuthority, refusal: Refusal): Promise<void>
  /**
   * Has any name to wait at this CA? For CAs of which we know no limits, so that they cost no
   * statement: what another node was told is heard of within ten seconds.
   */
  isWaiting(ca: CertificateAuthority, trx?: Transaction<Schema>): Promise<boolean>
}

export interface Refusal {
  readonly hostname: Hostname
  readonly retryAt: Date
}

export interface ToldToWaitDeps {
  readonly rows: Pick<LedgerRows, 'postpone' | 'toldUntil'>
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly record: Pick<AcmeRecord, 'unforeseenRateLimit'>
}

/** So many names cannot all have used up limits of their own. */
const NAMES_MEAN_ACCOUNT = 3
const TOGETHER_MS_MAX = 60_000
/** Names remembered at once; beyond, they have long been taken for the account. */
const RECENT_MAX = 100
const KNOWN_FOR_MS = seconds(10)

interface Recent extends Refusal {
  readonly atMs: number
}

export function createToldToWait({ rows, clock, record }: ToldToWaitDeps): ToldToWait {
  const recentByCa = new Map<string, readonly Recent[]>()
  const knownByCa = new Map<string, { readonly untilMs: number; readonly readMs: number }>()

  const wait = (ca: string, bucket: string, until: Date): Promise<void> =>
    rows.postpone(ca, { limit: 'told-to-wait', bucket, fullAtMs: until.getTime() })
  const noteRecent = (ca: string, refusal: Refusal): readonly Recent[] => {
    const atMs = clock.monotonicMs()
    const others = (recentByCa.get(ca) ?? []).filter(
      (one) => one.hostname !== refusal.hostname && atMs - one.atMs < TOGETHER_MS_MAX,
    )
    const recent = [...others, { ...refusal, atMs }].slice(-RECENT_MAX)
    recentByCa.set(ca, recent)
    return recent
  }

  return {
    refused: async ({ name }, refusal) => {
      const recent = noteRecent(name, refusal)
      const isAccount = recent.length >= NAMES_MEAN_ACCOUNT
      const scope = isAccount ? 'account' : 'name'
      record.unforeseenRateLimit({ ca: name, ...refusal, scope })
      await wait(name, refusal.hostname, refusal.retryAt)
      if (isAccount) {
        const farthestMs = Math.max(...recent.map(({ retryAt }) => retryAt.getTime()))
        await wait(name, ACCOUNT_BUCKET, new Date(farthestMs))
      }
      knownByCa.delete(name)
    },
    isWaiting: async ({ name }, trx) => {
      const readMs = clock.monotonicMs()
      let known = knownByCa.get(name)
      if (!known || readMs - known.readMs >= KNOWN_FOR_MS) {
        known = { untilMs: (await rows.toldUntil(name, trx)) ?? 0, readMs }
        knownByCa.set(name, known)
      }
      return known.untilMs > clock.now().getTime()
    },
  }
}
