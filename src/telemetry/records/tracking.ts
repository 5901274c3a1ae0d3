import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** Whose hits wait: those for the store, or those that are owed to the backend. */
type JournalKind = 'hits' | 'owed'

const DESTINATION = { hits: 'store', owed: 'backend' } as const

interface Backlog {
  readonly count: number
  readonly oldestAt: Date | undefined
}

export type TrackingRecord = ReturnType<typeof createTrackingRecord>

/** What tracking reports. Links, references and addresses never appear in a log. */
export function createTrackingRecord({
  log,
  metrics,
}: {
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>
}) {
  const journaled = metrics.counter({
    name: 'hits_journaled_total',
    help: 'Opens and clicks that are durable in the journal; their visitors were answered then',
  })
  const moved = metrics.counter({
    name: 'hits_moved_total',
    help: 'Hits moved out of the journal, by where: into the store, or replayed to the backend',
    labels: ['to'],
  })
  const backlog = metrics.gauge({
    name: 'hits_backlog',
    help: 'Hits in the journal that are still to be moved, by where',
    labels: ['to'],
  })
  const oldest = metrics.gauge({
    name: 'hits_backlog_oldest_timestamp_seconds',
    help: 'When the oldest hit happened that is still to be moved; 0: there is none',
    labels: ['to'],
  })
  const lost = metrics.counter({
    name: 'hits_lost_total',
    help: 'Hits given up because the disk took none and the memory for them was full',
  })
  const late = metrics.counter({
    name: 'hits_late_total',
    help: 'Hits whose visitor was answered before they were durable, because the disk took none',
  })
  const waiting = metrics.gauge({
    name: 'hits_waiting',
    help: 'Hits in memory that are not durable yet',
  })
  const setAside = metrics.counter({
    name: 'hits_set_aside_total',
    help: 'Hits at which the backend failed again and again while it took others; kept in a file',
  })
  const damaged = metrics.counter({
    name: 'hits_journal_damaged_total',
    help: 'Files of the journal that held something no writer left there; they are kept',
  })
  const refused = metrics.counter({
    name: 'links_refused_total',
    help: 'Requests that carried no link of ours, by reason',
    labels: ['reason'],
  })
  return {
    hitsJournaled: (count: number) => journaled.inc(count),
    hitAnsweredEarly: () => late.inc(),
    hitsWaiting: (count: number) => waiting.set(count),
    /** No room for it. Counted only: the log has said `hits-not-journaled`. */
    hitLost: () => lost.inc(),
    hitsNotJournaled: (facts: { readonly waiting: number; readonly error: unknown }) =>
      log.error('hits-not-journaled', facts),
    hitsJournaledAgain: (facts: { readonly waiting: number }) =>
      log.info('hits-journaled-again', facts),
    /** This process ends, and the disk still takes none. */
    hitsGivenUp: (count: number) => {
      lost.inc(count)
      log.error('hits-given-up', { count })
    },
    /** A write failed; the next one goes to another file. */
    journalSegmentGivenUp: (facts: { readonly error: unknown }) =>
      log.warn('journal-segment-given-up', facts),
    /** `short`: a write that was cut off, never acknowledged. `damaged`: the file is kept. */
    journalTailLeft: (facts: { readonly segment: string; readonly tail: 'short' | 'damaged' }) => {
      if (facts.tail === 'damaged') damaged.inc()
      log.warn('journal-tail-left', facts)
    },
    /** Told once of each; the others are moved meanwhile. */
    journalSegmentUnreadable: (facts: { readonly segment: string; readonly error: unknown }) =>
      log.error('journal-segment-unreadable', facts),
    /** The backend failed at what its visitor had added to the link, and took the link by itself. */
    hitSentBare: (facts: { readonly requestId: string }) => log.info('hit-sent-bare', facts),
    hitSetAside: (facts: { readonly requestId: string }) => {
      setAside.inc()
      log.error('hit-set-aside', facts)
    },
    hitsMoved: (kind: JournalKind, count: number) => moved.inc({ to: DESTINATION[kind] }, count),
    hitBacklog: (kind: JournalKind, { count, oldestAt }: Backlog) => {
      const to = DESTINATION[kind]
      backlog.set({ to }, count)
      oldest.set({ to }, (oldestAt?.getTime() ?? 0) / 1000)
    },
    /** The store or the backend does not take them: they wait in the journal. */
    hitsNotMoved: (kind: JournalKind, facts: Backlog & { readonly error?: unknown }) =>
      log.warn('hits-not-moved', { to: DESTINATION[kind], ...facts }),
    hitsMovedAgain: (kind: JournalKind, facts: Backlog) =>
      log.info('hits-moved-again', { to: DESTINATION[kind], ...facts }),
    linkRefused: (reason: string) => refused.inc({ reason }),
  }
}
