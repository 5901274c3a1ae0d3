import { MINUTE_MS } from './calendar.ts'
import type { Meter } from './meter.ts'
import type { SimulationOptions } from './options.ts'
import { DAY_MS, HOUR_MS, type Scenario } from './scenario.ts'
import { createWorld, type World } from './world.ts'

export interface SimulationResult {
  readonly scenario: Scenario
  readonly meter: Meter
  /** How many certificates in use the CA wanted replaced. */
  readonly hitCertificates: number
  /** Hosts by state. */
  readonly atEnd: Readonly<Record<string, number>>
}

/** Runs a fleet for years, minute by minute. The same options give the same result. */
export function simulate(
  options: SimulationOptions,
  onDay?: (day: number) => void,
): SimulationResult {
  const world = createWorld(options)
  const { scenario, meter } = world
  const minutes = (scenario.endMs - scenario.startMs) / MINUTE_MS
  let hitCertificates = 0
  // Time never goes back: what was put into the minute that is being played is late by less than it.
  let nowMs = scenario.startMs
  const at = (dueMs: number): number => {
    nowMs = Math.max(nowMs, dueMs)
    return nowMs
  }
  for (let minute = 0; minute < minutes; minute += 1) {
    const startMs = scenario.startMs + minute * MINUTE_MS
    if (startMs === world.incident.atMs) hitCertificates = beginIncident(world)
    if (startMs === world.incident.revokesMs)
      meter.counts.revokedInUse = countConcerned(world, startMs)
    playMinute(world, minute, at)
    world.meter.noteBudget(world.preferredCa.accountOrdersLeft(nowMs), nowMs)
    if (minute % HOUR_MINUTES === HOUR_MINUTES - 1) {
      world.fleetSize.measure()
      const { hosts, termMs } = world.fleetSize.size()
      const needed = (hosts / termMs) * HOUR_MS
      meter.noteHour({ needed, queued: world.line.size, inUse: world.book.inUse }, nowMs)
    }
    if (minute % DAY_MINUTES === 0) onDay?.(minute / DAY_MINUTES)
  }
  return { scenario, meter, hitCertificates, atEnd: countStates(world) }
}

const HOUR_MINUTES = HOUR_MS / MINUTE_MS
const DAY_MINUTES = DAY_MS / MINUTE_MS

type At = (dueMs: number) => number

function playMinute(world: World, minute: number, at: At): void {
  const { arrivals, due, endings, questions, attending, rounds, fleet } = world
  arrivals.play(minute, (host, dueMs) => {
    const nowMs = at(dueMs)
    fleet.add(host, new Date(nowMs))
    due.put(host, nowMs)
  })
  endings.play(minute, (host, dueMs) => attending.end(host, at(dueMs)))
  questions.play(minute, (host, dueMs) => attending.ask(host, at(dueMs)))
  due.play(minute, (host, dueMs) => {
    const nowMs = at(dueMs)
    // Each round begins with those whose turn has come: nobody who is just due passes them.
    rounds.claimTurns(nowMs)
    attending.attend(host, 'due', nowMs)
  })
  rounds.claimTurns(at(world.scenario.startMs + (minute + 1) * MINUTE_MS - 1))
}

/** The CA moves windows into the past; each host hears of it when it asks next. */
function beginIncident({ population, book, incident, questions }: World): number {
  let hit = 0
  for (let host = 0; host < population.hosts; host += 1) {
    const current = book.current(host)
    if (!current || !incident.concerns(host, current)) continue
    questions.put(host, incident.asksMs())
    hit += 1
  }
  return hit
}

function countConcerned({ population, book, incident }: World, nowMs: number): number {
  let concerned = 0
  for (let host = 0; host < population.hosts; host += 1) {
    const current = book.current(host)
    if (!current || current.notAfterMs <= nowMs || !incident.concerns(host, current)) continue
    if (population.isRightThroughout(host, incident.atMs, nowMs)) concerned += 1
  }
  return concerned
}

function countStates({ population, fleet, line }: World): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { waitingForBudget: line.size }
  for (let host = 0; host < population.hosts; host += 1) {
    const state = fleet.stateOf(host)
    counts[state] = (counts[state] ?? 0) + 1
  }
  return counts
}
