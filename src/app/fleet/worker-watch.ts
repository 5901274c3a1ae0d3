import type { Clock } from '../../kernel/index.ts'
import type { MetricsSnapshot } from '../../telemetry/index.ts'
import type { WorkerProcess } from './worker-process.ts'

/** How often each worker is asked; the answer takes it about a millisecond. */
const POLL_PAUSE_MS = 5_000
/** Under the deadline of the question itself, whose failure means that the worker answered. */
const POLL_ANSWER_MS_MAX = 4_000
/**
 * One may be chance, on a machine that was asleep, or that swaps. After so many in a row, which is
 * half a minute, nobody has been served by it for longer than visitors wait.
 */
const UNANSWERED_POLLS_MAX = 3

export interface WorkerWatchDeps {
  readonly clock: Pick<Clock, 'sleep'>
  /** What it counted so far. */
  readonly onAnswer: (snapshot: MetricsSnapshot) => void
  /** Called once. The kernel goes on giving it visitors until it is gone. */
  readonly onStuck: (facts: { readonly unansweredPolls: number }) => void
}

/** Asks a worker from time to time whether it is still there, until aborted or found stuck. */
export async function watchWorker(
  worker: Pick<WorkerProcess, 'metrics'>,
  { clock, onAnswer, onStuck }: WorkerWatchDeps,
  signal: AbortSignal,
): Promise<void> {
  /** Ends early when aborted. */
  const sleep = async (ms: number, until: AbortSignal): Promise<void> => {
    await clock.sleep(ms, until).catch((error: unknown) => {
      if (!until.aborted) throw error
    })
  }
  const poll = async (): Promise<'answered' | 'silent'> => {
    const over = new AbortController()
    const answered = worker.metrics().then(
      (snapshot) => {
        onAnswer(snapshot)
        return 'answered' as const
      },
      // Whoever can fail at an answer is not stuck; whoever is gone is replaced already.
      () => 'answered' as const,
    )
    const late = sleep(POLL_ANSWER_MS_MAX, AbortSignal.any([over.signal, signal]))
    try {
      return await Promise.race([answered, late.then(() => 'silent' as const)])
    } finally {
      over.abort()
    }
  }
  for (let unanswered = 0; unanswered < UNANSWERED_POLLS_MAX; ) {
    await sleep(POLL_PAUSE_MS, signal)
    if (signal.aborted) return
    unanswered = (await poll()) === 'answered' ? 0 : unanswered + 1
  }
  if (!signal.aborted) onStuck({ unansweredPolls: UNANSWERED_POLLS_MAX })
}
