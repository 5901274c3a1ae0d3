import { addCounts, type MetricsSnapshot } from '../../telemetry/index.ts'

/**
 * What workers have counted, whether they live, are late or are gone: Prometheus takes a sum that
 * falls for a new beginning, and would count all of it again.
 */
export interface WorkerCounts<Worker> {
  /** The latest of a living one; it stands for it until the next. */
  note(worker: Worker, snapshot: MetricsSnapshot): void
  /** What it counted stays; what it measured, such as its connections, goes with it. */
  bury(worker: Worker): void
  /** Of all that there ever were. */
  all(): readonly MetricsSnapshot[]
}

export function createWorkerCounts<Worker extends object>(): WorkerCounts<Worker> {
  const latest = new Map<Worker, MetricsSnapshot>()
  const buried = new WeakSet<Worker>()
  let ofTheDead: MetricsSnapshot = []
  return {
    note: (worker, snapshot) => {
      // An answer that was on its way when it died: it would be counted twice.
      if (!buried.has(worker)) latest.set(worker, snapshot)
    },
    bury: (worker) => {
      buried.add(worker)
      ofTheDead = addCounts(ofTheDead, latest.get(worker) ?? [])
      latest.delete(worker)
    },
    all: () => [ofTheDead, ...latest.values()],
  }
}
