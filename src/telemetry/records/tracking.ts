import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

export type TrackingRecord = ReturnType<typeof createTrackingRecord>

/** What tracking reports. Links, references and addresses never appear in a log. */
export function createTrackingRecord({
  log,
  metrics,
}: {
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>
}) {
  const stored = metrics.counter({
    name: 'hits_stored_total',
    help: 'Opens and clicks that are durable in the store',
  })
  const lost = metrics.counter({
    name: 'hits_lost_total',
    help: 'Hits given up because the store was away and the memory for them was full',
  })
  const late = metrics.counter({
    name: 'hits_late_total',
    help: 'Hits whose visitor was answered before they were durable, because the store was away',
  })
  const waiting = metrics.gauge({
    name: 'hits_waiting',
    help: 'Hits in memory that are not durable yet',
  })
  const refused = metrics.counter({
    name: 'links_refused_total',
    help: 'Requests that carried no link of ours, by reason',
    labels: ['reason'],
  })
  return {
    hitsStored: (count: number) => stored.inc(count),
    hitAnsweredEarly: () => late.inc(),
    hitsWaiting: (count: number) => waiting.set(count),
    /** No room for it. Counted only: the log says `hits-not-stored` all the while. */
    hitLost: () => lost.inc(),
    hitsNotStored: (facts: { readonly waiting: number; readonly error: unknown }) =>
      log.error('hits-not-stored', facts),
    hitsStoredAgain: (facts: { readonly waiting: number }) => log.info('hits-stored-again', facts),
    /** This process ends, and the store is still away. */
    hitsGivenUp: (count: number) => {
      lost.inc(count)
      log.error('hits-given-up', { count })
    },
    linkRefused: (reason: string) => refused.inc({ reason }),
  }
}
