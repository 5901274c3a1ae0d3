import { type AcmeOptions, type FleetSize, fleetOf, type Issuer } from '../acme/index.ts'
import type { CertificateStore } from '../certs/index.ts'
import {
  after,
  type Clock,
  days,
  hours,
  minutes,
  type Periodic,
  seconds,
  startPeriodic,
} from '../kernel/index.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import type { AppRecord, CertsRecord } from '../telemetry/index.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'

/** Who was visited is told that often: a host that was left alone is back within that time. */
const VISITS_EVERY = seconds(5)
const MEASURE_EVERY = hours(1)
const SWEEP_EVERY = minutes(10)
const PRUNE_EVERY = hours(1)

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

/**
 * Removes certificates that nobody needs any more. Not before the server has run for a while: what
 * was left lying when the last one ended is found and put to use first.
 */
export function pruneCertificates({
  certs,
  certsRecord,
  ...deps
}: UpkeepDeps & {
  readonly certs: Pick<CertificateStore, 'prune'>
  readonly certsRecord: Pick<CertsRecord, 'certificatesPruned'>
}): Periodic {
  const startedMs = deps.clock.monotonicMs()
  return periodically('certificates', PRUNE_EVERY, deps, async (signal) => {
    if (deps.clock.monotonicMs() - startedMs < PRUNE_EVERY) return
    const pruned = await certs.prune(signal)
    if (pruned.removed + pruned.orphaned > 0) certsRecord.certificatesPruned(pruned)
  })
}

/**
 * How large the fleet is and how long its certificates are used, for the pace of renewals: measured
 * from time to time, as each order asks and a million certificates take seconds to count.
 */
export function measureFleet(
  { certs, ...deps }: UpkeepDeps & { readonly certs: Pick<CertificateStore, 'renewalsByHour'> },
  { term }: Pick<AcmeOptions, 'term'>,
): Periodic & { readonly size: () => FleetSize } {
  let size: FleetSize = { hosts: 0, termMs: term }
  const measuring = periodically('fleet-size', MEASURE_EVERY, deps, async () => {
    const until = after(deps.clock.now(), HORIZON)
    size = fleetOf(await certs.renewalsByHour({ from: EVER, until }), { term })
  })
  return { ...measuring, size: () => size }
}

const EVER = new Date(0)
/** No certificate is issued for longer. */
const HORIZON = days(400)

function periodically(
  loop: string,
  every: typeof VISITS_EVERY,
  { clock, record }: UpkeepDeps,
  round: (signal: AbortSignal) => Promise<void>,
): Periodic {
  const onError = (error: unknown) => record.backgroundFailed({ loop, error })
  return startPeriodic(round, { clock, every, onError })
}
