import { after, type Hostname, milliseconds } from '../kernel/index.ts'
import type { LifecycleOptions } from './options.ts'
import type { LifecycleDeps } from './ports.ts'

/** Who was visited, as the edges tell it. */
export interface Visited {
  readonly hostnames: readonly Hostname[]
  /** Those among them that a visitor found without a certificate in validity. */
  readonly lacking: readonly Hostname[]
}

/** Notes visits, and has those come at once that were left alone because nobody came. */
export async function noteVisits(
  { hosts, clock }: Pick<LifecycleDeps, 'hosts' | 'clock'>,
  { idleAfter }: Pick<LifecycleOptions, 'idleAfter'>,
  { hostnames, lacking }: Visited,
): Promise<void> {
  const at = clock.now()
  const idleBefore = after(at, milliseconds(-idleAfter))
  const all = [...new Set([...hostnames, ...lacking])]
  const wereIdle = await hosts.noteVisits(all, { at, idleBefore })
  await hosts.wakeVisited([...new Set([...wereIdle, ...lacking])])
}
