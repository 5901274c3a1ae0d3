import type { Edge } from '../../edge/index.ts'
import { type Clock, minutes } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { type SelfTestTroubles, toTroubles } from './self-test-troubles.ts'

/** By then a machine that was too busy to answer itself may have time. */
const AGAIN_AFTER = minutes(1)

export interface SelfTestsDeps {
  readonly edge: Pick<Edge, 'selfTest'>
  readonly clock: Pick<Clock, 'sleep'>
  readonly record: Pick<EdgeRecord, 'failed'>
}

/**
 * Has an edge try itself out, and again those checks that were too slow to say anything. `tell` is
 * given what was found each time. Disposing begins nothing new.
 */
export function startSelfTests(
  { edge, clock, record }: SelfTestsDeps,
  tell: (found: SelfTestTroubles) => void,
): Disposable {
  const stopping = new AbortController()
  const run = async (): Promise<void> => {
    let report = await edge.selfTest()
    tell(toTroubles(report.findings))
    while (report.late.length > 0) {
      await clock.sleep(AGAIN_AFTER, stopping.signal)
      report = await edge.selfTest(report.late)
      tell(toTroubles(report.findings))
    }
  }
  run().catch((error: unknown) => {
    if (!stopping.signal.aborted) record.failed('trying out the runtime', error)
  })
  return { [Symbol.dispose]: () => stopping.abort() }
}
