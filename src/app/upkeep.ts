import type { Issuer } from '../acme/index.ts'
import type { HostTable } from '../hosts/index.ts'
import { type Clock, minutes, type Periodic, seconds, startPeriodic } from '../kernel/index.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import type { AppRecord } from '../telemetry/index.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'

/** Who was visited is told that often: a host that was left alone is back within that time. */
const VISITS_EVERY = seconds(5)
const COUNT_EVERY = minutes(1)
const SWEEP_EVERY = minutes(10)

interface UpkeepDeps {
  readonly clock: Clock
  readonly record: Pick<AppRecord, 'backgroundFailed'>
}

/** Tells the lifecycle whom the edges' visitors came for. */
export function passOnVisits(
  fleet: Pick<EdgeFleet, 'visits'>,
  lifecycle: Pick<Lifecycle, 'visited'>,
  deps: UpkeepDeps,
): Periodic {
  return periodically('visits', VISITS_EVERY, deps, async () => {
    const visits = await fleet.visits()
    if (visits.hostnames.length + visits.lacking.length > 0) await lifecycle.visited(visits)
  })
}

/** Has what the issuer keeps of orders and budgets shrink again. */
export function sweepOrders(issuer: Pick<Issuer, 'sweep'>, deps: UpkeepDeps): Periodic {
  return periodically('orders', SWEEP_EVERY, deps, () => issuer.sweep())
}

/** How many hosts need a certificate, counted from time to time: each order asks. */
export function countHosts(
  hosts: Pick<HostTable, 'countByState'>,
  deps: UpkeepDeps,
): Periodic & { readonly count: () => number } {
  let count = 0
  const counting = periodically('host-count', COUNT_EVERY, deps, async () => {
    const { retired: _gone, ...living } = await hosts.countByState()
    count = Object.values(living).reduce((sum, hostsInState) => sum + hostsInState, 0)
  })
  return { ...counting, count: () => count }
}

function periodically(
  loop: string,
  every: typeof VISITS_EVERY,
  { clock, record }: UpkeepDeps,
  round: () => Promise<void>,
): Periodic {
  const onError = (error: unknown) => record.backgroundFailed({ loop, error })
  return startPeriodic(round, { clock, every, onError })
}
