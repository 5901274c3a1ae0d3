import type { Random } from '../../src/kernel/index.ts'
import type { Meter } from './meter.ts'
import { HOUR_MS, type Scenario } from './scenario.ts'

/** Nodes that restart: what one of them has in its memory and nowhere else is gone. */
export interface Restarts {
  /** Does the node that places an order now die before the certificate is saved? */
  isLost(nowMs: number): boolean
}

/** One of the three restarts every six hours or so: deploys, crashes, new machines. */
const NODES = 3
const [SOONEST_MS, SPREAD_MS] = [2 * HOUR_MS, 8 * HOUR_MS]
/** From the order to the certificate, in a bad hour. */
const ORDER_MS = 30_000

export function createRestarts(
  { startMs, endMs, happenings }: Scenario,
  { fate, meter }: { readonly fate: Random; readonly meter: Meter },
): Restarts {
  const happens = happenings.has('restarts')
  const next = (afterMs: number): number =>
    happens ? afterMs + SOONEST_MS + SPREAD_MS * fate.fraction() : endMs
  let restartMs = next(startMs)
  return {
    isLost: (nowMs) => {
      while (restartMs < nowMs) {
        meter.counts.restarts += 1
        restartMs = next(restartMs)
      }
      return restartMs - nowMs < ORDER_MS && fate.fraction() < 1 / NODES
    },
  }
}
