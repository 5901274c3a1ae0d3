import { z } from 'zod'
import type { Clock, NoticeKind, Random } from '../kernel/index.ts'
import type { HostHistoryRow } from '../store/index.ts'

/** One step of a host's story, as its owner reads it. */
export interface HistoryEntry {
  readonly at: Date
  readonly step: HistoryStep
  readonly outcome: HistoryOutcome
  /** The code of the reason or error, where there is one. */
  readonly code: string | undefined
  readonly sentence: string
}

/** What was done: the steps from added to active, and what people ask for in between. */
export type HistoryStep = (typeof STEPS)[number]

export type HistoryOutcome = (typeof OUTCOMES)[number]

const STEPS = [
  'add',
  'check',
  'look',
  'issue',
  'activate',
  'serve',
  'renew',
  'queue',
  'rehearse',
  'https',
  'leave',
  'claim',
  'bring',
  'revoke',
  'retire',
] as const
const OUTCOMES = ['done', 'asked', 'waiting', 'refused', 'failed'] as const

/** An entry before it is written. */
export interface HistoryDraft {
  /** When it happened, if that was some time before it is written. */
  readonly at?: Date
  readonly step: HistoryStep
  readonly outcome: HistoryOutcome
  readonly code?: string | undefined
  readonly sentence: string
  /** Its account is to be told, as this. */
  readonly notice?: NoticeKind | undefined
  /** Whom to tell, if not the account that has the host now. */
  readonly account?: string | undefined
  readonly certificateId?: string | undefined
}

/** Turns a draft into a row. Whoever has the host when it is written is told, if anybody is. */
export type HistoryWriter = (
  host: { readonly hostname: string; readonly account?: string },
  draft: HistoryDraft,
) => HostHistoryRow

/**
 * Makes rows whose ids sort in the order in which they are written, even within a millisecond: 48
 * bits of time, 16 of a counter, 64 of chance.
 */
export function createHistoryWriter({
  clock,
  random,
}: {
  readonly clock: Clock
  readonly random: Random
}): HistoryWriter {
  let lastAt = 0
  let counter = 0
  return (host, draft) => {
    const { at, step, outcome, code, sentence, notice, certificateId } = draft
    const account = notice && (draft.account ?? host.account)
    const now = clock.now().getTime()
    counter = now === lastAt ? (counter + 1) % COUNTERS : 0
    lastAt = now
    const bytes = Buffer.alloc(16)
    bytes.writeUIntBE(now, 0, 6)
    bytes.writeUInt16BE(counter, 6)
    random.bytes(8).copy(bytes, 8)
    const id = bytes.toString('hex')
    const happenedAt = at?.getTime() ?? now
    return {
      ...{
        id,
        hostname: host.hostname,
        at: happenedAt,
        step,
        outcome,
        code: code ?? null,
        sentence,
      },
      ...{ notice: notice ?? null, account: account ?? null },
      ...{ certificate_id: certificateId ?? null, told_at: null },
    }
  }
}

const COUNTERS = 0x1_00_00

/** Reads a row, perhaps written by another version. */
export function rowToHistoryEntry(row: HostHistoryRow): HistoryEntry {
  return historyEntry.parse(row)
}

const historyEntry = z
  .object({
    at: z.number().transform((ms) => new Date(ms)),
    step: z.enum(STEPS),
    outcome: z.enum(OUTCOMES),
    code: z.string().nullable(),
    sentence: z.string(),
  })
  .transform(({ code, ...entry }): HistoryEntry => ({ ...entry, code: code ?? undefined }))
