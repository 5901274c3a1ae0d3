import { z } from 'zod'
import {
  type Hostname,
  NOTICE_KINDS,
  type NoticeKind,
  parseWireHostname,
  type ReasonCode,
  URGENCIES,
  urgencyRank,
} from '../kernel/index.ts'
import type { Host, HostState } from './host-life.ts'

const STATES = [
  'waiting-for-dns',
  'issuing',
  'active',
  'failing',
  'paused',
  'retired',
] as const satisfies readonly HostState[]

/** Codes of a newer version pass as they are: a node that does not know one must not lose it. */
const reasonCode = z.custom<ReasonCode>(
  (code) => typeof code === 'string' && /^[a-z]+(-[a-z]+)*\/[a-z]+(-[a-z]+)*$/.test(code),
)

const hostname = z.string().transform((text, context) => {
  const name = parseWireHostname(text)
  if (name) return name
  context.addIssue({ code: 'custom', message: 'not a hostname' })
  return z.NEVER
})

const instant = z.number().transform((ms) => new Date(ms))

const checks = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(
    z.array(
      z.object({
        name: z.string(),
        ok: z.boolean(),
        seen: z.string(),
        expected: z.string().optional(),
      }),
    ),
  )

const maybeInstant = instant.nullable().transform((at) => at ?? undefined)

/** A newer version's kind only keeps us from telling twice what we know. */
const told = z
  .string()
  .nullable()
  .transform((kind): NoticeKind | undefined => NOTICE_KINDS.find((known) => known === kind))

const hostRow = z
  .object({
    hostname,
    domain: z.string(),
    state: z.enum(STATES),
    reason_code: reasonCode.nullable(),
    reason_sentence: z.string().nullable(),
    reason_fix: z.string().nullable(),
    checks,
    https_safe: z.number(),
    failures: z.number(),
    next_attempt_at: maybeInstant,
    created_at: instant,
    updated_at: instant,
    account: z.string(),
    priority: z.number().transform((rank) => URGENCIES[rank] ?? 'renewal'),
    queued_at: maybeInstant,
    renewal_asked_at: maybeInstant,
    away_at: maybeInstant,
    left_at: maybeInstant,
    ceased_at: maybeInstant,
    ready_at: maybeInstant,
    looked_at: maybeInstant,
    visited_at: maybeInstant,
    certificate_from: z.enum(['acme', 'customer']),
    take_over: z.number(),
    told,
    claim_token: z.string().nullable(),
  })
  .transform(
    (row): Host => ({
      hostname: row.hostname,
      domain: row.domain,
      state: row.state,
      reason:
        row.reason_code === null
          ? undefined
          : {
              code: row.reason_code,
              sentence: row.reason_sentence ?? '',
              fix: row.reason_fix ?? '',
            },
      checks: row.checks,
      httpsSafe: row.https_safe === 1,
      failures: row.failures,
      nextAttemptAt: row.next_attempt_at,
      account: row.account,
      urgency: row.priority,
      queuedAt: row.queued_at,
      renewalAskedAt: row.renewal_asked_at,
      awayAt: row.away_at,
      leftAt: row.left_at,
      ceasedAt: row.ceased_at,
      readyAt: row.ready_at,
      lookedAt: row.looked_at,
      visitedAt: row.visited_at,
      certificateFrom: row.certificate_from,
      takeOver: row.take_over === 1,
      told: row.told,
      claimToken: row.claim_token ?? undefined,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    }),
  )

/** Reads a row of `hosts`, perhaps written by another version. */
export function rowToHost(row: unknown): Host {
  return hostRow.parse(row)
}

/** Is told of a row that cannot be read, of which the others are not to suffer. */
export type OnUnreadable = (row: { readonly hostname: string; readonly error: unknown }) => void

/** Reads rows one by one; those that cannot be read are told of and left out. */
export function readRows<Row extends { readonly hostname: string }, Value>(
  rows: readonly Row[],
  read: (row: Row) => Value,
  onUnreadable: OnUnreadable,
): readonly Value[] {
  return rows.flatMap((row) => {
    try {
      return [read(row)]
    } catch (error) {
      onUnreadable({ hostname: row.hostname, error })
      return []
    }
  })
}

/** Reads a hostname of a row. */
export function rowToHostname(row: { readonly hostname: string }): Hostname {
  return hostname.parse(row.hostname)
}

/** The columns of a host that its moves may change: not its visits, and not its rank in the queue. */
export function hostToColumns(host: Host) {
  return {
    domain: host.domain,
    account: host.account,
    state: host.state,
    reason_code: host.reason?.code ?? null,
    reason_sentence: host.reason?.sentence ?? null,
    reason_fix: host.reason?.fix ?? null,
    checks: JSON.stringify(host.checks),
    https_safe: host.httpsSafe ? 1 : 0,
    failures: host.failures,
    next_attempt_at: host.nextAttemptAt?.getTime() ?? null,
    priority: urgencyRank(host.urgency),
    queued_at: host.queuedAt?.getTime() ?? null,
    renewal_asked_at: host.renewalAskedAt?.getTime() ?? null,
    away_at: host.awayAt?.getTime() ?? null,
    left_at: host.leftAt?.getTime() ?? null,
    ceased_at: host.ceasedAt?.getTime() ?? null,
    ready_at: host.readyAt?.getTime() ?? null,
    looked_at: host.lookedAt?.getTime() ?? null,
    certificate_from: host.certificateFrom,
    take_over: host.takeOver ? 1 : 0,
    told: host.told ?? null,
    claim_token: host.claimToken ?? null,
    created_at: host.createdAt.getTime(),
    updated_at: host.updatedAt.getTime(),
  }
}
