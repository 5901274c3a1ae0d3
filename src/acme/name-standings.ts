import type { Schema, Store, Transaction } from '../store/index.ts'
import { shapeOf } from './budget.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'

/** How a CA looks at one name. */
export interface NameStanding {
  readonly failuresInARow: number
  /** Since when the CA has it paused. */
  readonly pausedAt?: Date | undefined
  readonly unpauseUrl?: string | undefined
  /** We stop by ourselves before the CA pauses the name: not to be tried before. */
  readonly restUntil?: Date | undefined
}

export interface PausedName {
  readonly hostname: string
  readonly pausedAt: Date
  readonly unpauseUrl?: string | undefined
}

/** How CAs look at single names: failures in a row, and pauses. */
export interface NameStandings {
  standing(ca: CertificateAuthority, hostname: string, nowMs: number): Promise<NameStanding>
  /** One failure more, in the transaction that spends it; the first, if the name was paused until then. */
  countFailure(ca: CertificateAuthority, failure: Failure, trx: Transaction<Schema>): Promise<void>
  forget(ca: CertificateAuthority, hostname: string, trx?: Transaction<Schema>): Promise<void>
  pause(ca: CertificateAuthority, pause: Pause): Promise<void>
  paused(ca: CertificateAuthority): Promise<readonly PausedName[]>
  /** Deletes names whose failures are all forgotten. */
  prune(nowMs: number): Promise<void>
}

interface Failure {
  readonly hostname: string
  readonly nowMs: number
}

interface Pause extends Failure {
  readonly unpauseUrl: string | undefined
}

/** We stop before the CA does, by this share of its threshold: others may try the name, too. */
const MARGIN_SHARE = 0.05
const PAUSED_SHOWN_MAX = 1_000
/** No CA forgets failures more slowly. */
const FORGOTTEN_MS_MAX = 24 * 3_600_000

export function createNameStandings({ db }: Pick<Store, 'db'>): NameStandings {
  const rowOf = (ca: CertificateAuthority, hostname: string, trx?: Transaction<Schema>) =>
    (trx ?? db)
      .selectFrom('acme_names')
      .selectAll()
      .where('ca', '=', ca.name)
      .where('hostname', '=', hostname)
      .executeTakeFirst()

  return {
    ...createPauses(db),
    standing: async (ca, hostname, nowMs) => {
      const row = await rowOf(ca, hostname)
      if (!row) return { failuresInARow: 0 }
      const { failures, restUntil } = judgeFailures(ca, row, nowMs)
      return {
        failuresInARow: failures,
        pausedAt: row.paused_at === null ? undefined : new Date(row.paused_at),
        unpauseUrl: row.unpause_url ?? undefined,
        restUntil,
      }
    },
    countFailure: async (ca, { hostname, nowMs }, trx) => {
      const row = await rowOf(ca, hostname, trx)
      const known = row && row.paused_at === null ? row : NEVER_FAILED
      const { failures, asOfMs } = judgeFailures(ca, known, nowMs)
      const lifted = { paused_at: null, unpause_url: null }
      const counted = { failures: failures + 1, updated_at: asOfMs, ...lifted }
      await trx
        .insertInto('acme_names')
        .values({ ca: ca.name, hostname, ...counted })
        .onConflict((conflict) => conflict.columns(['ca', 'hostname']).doUpdateSet(counted))
        .execute()
    },
    forget: async (ca, hostname, trx) => {
      await (trx ?? db)
        .deleteFrom('acme_names')
        .where('ca', '=', ca.name)
        .where('hostname', '=', hostname)
        .execute()
    },
    prune: async (nowMs) => {
      await db
        .deleteFrom('acme_names')
        .where('paused_at', 'is', null)
        .where((eb) => eb(eb('updated_at', '+', eb('failures', '*', FORGOTTEN_MS_MAX)), '<', nowMs))
        .execute()
    },
  }
}

function createPauses(db: Store['db']): Pick<NameStandings, 'pause' | 'paused'> {
  return {
    pause: async (ca, { hostname, nowMs, unpauseUrl }) => {
      const pause = { paused_at: nowMs, unpause_url: unpauseUrl ?? null }
      await db
        .insertInto('acme_names')
        .values({ ca: ca.name, hostname, failures: 0, updated_at: nowMs, ...pause })
        .onConflict((conflict) =>
          conflict.columns(['ca', 'hostname']).doUpdateSet((eb) => ({
            // Since when, and not when we last heard of it; but the newest link.
            paused_at: eb.fn.coalesce('acme_names.paused_at', 'excluded.paused_at'),
            unpause_url: eb.fn.coalesce('excluded.unpause_url', 'acme_names.unpause_url'),
          })),
        )
        .execute()
    },
    paused: async (ca) => {
      const rows = await db
        .selectFrom('acme_names')
        .select(['hostname', 'paused_at', 'unpause_url'])
        .where('ca', '=', ca.name)
        .where('paused_at', 'is not', null)
        .orderBy('paused_at', 'desc')
        .limit(PAUSED_SHOWN_MAX)
        .execute()
      return rows.map(({ hostname, paused_at, unpause_url }) => ({
        hostname,
        pausedAt: new Date(paused_at ?? 0),
        unpauseUrl: unpause_url ?? undefined,
      }))
    },
  }
}

interface Failures {
  readonly failures: number
  readonly updated_at: number
}

const NEVER_FAILED: Failures = { failures: 0, updated_at: 0 }

interface JudgedFailures {
  readonly failures: number
  /** The instant for which that number holds: what has been forgotten in part must not be lost. */
  readonly asOfMs: number
  readonly restUntil: Date | undefined
}

/** One failure is forgotten after each `tokenMs`; so the CA does it, and says that all are at a success. */
function judgeFailures(
  { limits }: CertificateAuthority,
  row: Failures,
  nowMs: number,
): JudgedFailures {
  const bucket = limits.orders['failures-in-a-row']
  if (!bucket) return { failures: row.failures, asOfMs: nowMs, restUntil: undefined }
  const { capacity, tokenMs } = shapeOf(bucket)
  // After the clock was set back nothing is forgotten, and counting goes on from now.
  const sinceMs = Math.min(row.updated_at, nowMs)
  const forgotten = Math.floor((nowMs - sinceMs) / tokenMs)
  if (forgotten >= row.failures) return { failures: 0, asOfMs: nowMs, restUntil: undefined }
  const failures = row.failures - forgotten
  const asOfMs = Math.round(sinceMs + forgotten * tokenMs)
  const threshold = Math.max(1, capacity - Math.floor(capacity * MARGIN_SHARE))
  const restMs = (failures - threshold + 1) * tokenMs
  const restUntil = failures < threshold ? undefined : new Date(Math.ceil(asOfMs + restMs))
  return { failures, asOfMs, restUntil }
}
