import { type Duration, days, hours, type Random } from '../kernel/index.ts'
import type { FleetSize } from './budget.ts'
import { planRenewal } from './renewal-plan.ts'

/** Certificates to be renewed in one hour, as their plans say. */
export interface PlannedRenewals {
  readonly hourStart: Date
  readonly certificates: number
  readonly lifetimeMs: number
}

/** A lifetime that all certificates could have. */
export interface ForecastProfile {
  readonly name: string
  readonly lifetimeMs: number
}

export interface ForecastQuestion {
  readonly now: Date
  readonly weeks: number
  readonly profiles: readonly ForecastProfile[]
  /** How long a certificate is used at the most (`acme.term`). */
  readonly term: Duration
  /** What the budget lets be renewed in an hour, if certificates are used for so long. */
  readonly perHourMax: (termMs: number) => number
}

/** The renewals to come. A fraction of one is as good as none, so all are whole. */
export interface Forecast extends Load {
  /** The full hour that `hours` begins with. */
  readonly from: Date
  readonly hours: readonly number[]
  readonly profiles: readonly ProfileForecast[]
}

/** How much work it is, and whether the budget carries it. */
export interface Load {
  readonly total: number
  readonly peakPerHour: number
  readonly meanPerHour: number
  /** For so long a renewal waits for the budget at the worst. */
  readonly longestWait: Duration
  /** Nobody waits for longer than a day. */
  readonly isCarried: boolean
}

/** What a change of profile would come to: each certificate changes at its next renewal. */
export interface ProfileForecast extends Load {
  readonly name: string
  readonly lifetime: Duration
  /** For good. */
  readonly renewalsPerDay: number
}

/** Let's Encrypt's, 2026-11; `classic` goes to 64 days in 2027-02 and to 45 in 2028-02. */
export const KNOWN_PROFILES: readonly ForecastProfile[] = [
  { name: 'classic', lifetimeMs: days(90) },
  { name: 'tlsserver', lifetimeMs: days(45) },
  { name: 'shortlived', lifetimeMs: hours(160) },
]

const HOUR_MS = hours(1)
const HOURS_A_WEEK = 7 * 24
const WAIT_MAX = days(1)
/** Two years of hours: beyond, nobody plans. */
const HORIZON_HOURS_MAX = 2 * 366 * 24

/**
 * Forecasts renewals: those that are planned, and each again after its certificate's term. What is
 * overdue counts in the first hour. `planned` must reach as far as the longest life: a certificate
 * that is not in it does not exist.
 */
export function forecastRenewals(
  planned: readonly PlannedRenewals[],
  question: ForecastQuestion,
): Forecast {
  const { now, weeks, profiles } = question
  const firstHour = Math.floor(now.getTime() / HOUR_MS)
  const shown = Math.min(HORIZON_HOURS_MAX, Math.ceil(weeks * HOURS_A_WEEK))
  const groups = planned.map(({ hourStart, certificates, lifetimeMs }) => ({
    hour: Math.max(0, Math.floor(hourStart.getTime() / HOUR_MS) - firstHour),
    certificates,
    termHours: termHoursOf(lifetimeMs, question),
  }))
  const due = unroll(groups, shown)
  return {
    from: new Date(firstHour * HOUR_MS),
    hours: due,
    ...loadOf(due, question.perHourMax(meanTermHours(groups) * HOUR_MS)),
    profiles: profiles.map((profile) => forecastProfile(profile, groups, question)),
  }
}

/**
 * What these certificates make a fleet of, for the pace of renewals: with lives of 45 days they are
 * used for 30, whatever the term says.
 */
export function fleetOf(
  planned: readonly Omit<PlannedRenewals, 'hourStart'>[],
  { term }: Pick<ForecastQuestion, 'term'>,
): FleetSize {
  const groups = planned.map(({ certificates, lifetimeMs }) => ({
    ...{ hour: 0, certificates, termHours: termHoursOf(lifetimeMs, { term }) },
  }))
  const hosts = groups.reduce((sum, { certificates }) => sum + certificates, 0)
  return { hosts, termMs: Math.min(term, meanTermHours(groups) * HOUR_MS) }
}

interface Group {
  readonly hour: number
  readonly certificates: number
  readonly termHours: number
}

function forecastProfile(
  { name, lifetimeMs }: ForecastProfile,
  planned: readonly Group[],
  question: ForecastQuestion,
): ProfileForecast {
  const termHours = termHoursOf(lifetimeMs, question)
  const lastHour = Math.max(0, ...planned.map(({ hour }) => hour))
  // Until all have changed, and one term more in which they come again.
  const horizon = Math.min(HORIZON_HOURS_MAX, lastHour + 1 + Math.ceil(termHours))
  const due = unroll(
    planned.map((group) => ({ ...group, termHours })),
    horizon,
  )
  const all = planned.reduce((sum, { certificates }) => sum + certificates, 0)
  return {
    ...{ name, lifetime: hours(lifetimeMs / HOUR_MS), renewalsPerDay: (all / termHours) * 24 },
    ...loadOf(due, question.perHourMax(termHours * HOUR_MS)),
  }
}

/** The term of certificates that are renewed as often as these are together. */
function meanTermHours(groups: readonly Group[]): number {
  let [certificates, perHour] = [0, 0]
  for (const group of groups) {
    certificates += group.certificates
    perHour += group.certificates / group.termHours
  }
  return perHour === 0 ? Number.POSITIVE_INFINITY : certificates / perHour
}

/** How many are due in each hour, those included that come again after their term. */
function unroll(groups: readonly Group[], hoursCount: number): readonly number[] {
  const byTerm = Map.groupBy(groups, ({ termHours }) => Math.max(1, Math.round(termHours)))
  const all = Array.from({ length: hoursCount }, () => 0)
  for (const [term, members] of byTerm) {
    const due = Array.from({ length: hoursCount }, () => 0)
    for (const { hour, certificates } of members) {
      if (hour < hoursCount) due[hour] = (due[hour] ?? 0) + certificates
    }
    for (const [hour, again] of due.entries()) {
      all[hour] = (all[hour] ?? 0) + again
      if (hour + term < hoursCount) due[hour + term] = (due[hour + term] ?? 0) + again
    }
  }
  return all
}

function loadOf(due: readonly number[], perHourMax: number): Load {
  let [total, peakPerHour, waiting, waitHours] = [0, 0, 0, 0]
  for (const renewals of due) {
    total += renewals
    peakPerHour = Math.max(peakPerHour, renewals)
    waiting = Math.max(0, waiting + renewals - perHourMax)
    waitHours = Math.max(waitHours, waiting / perHourMax)
  }
  const longestWait = hours(waitHours)
  const meanPerHour = due.length === 0 ? 0 : total / due.length
  return { total, peakPerHour, meanPerHour, longestWait, isCarried: longestWait <= WAIT_MAX }
}

/** As the renewals themselves are planned, for a CA that suggests no window. */
function termHoursOf(lifetimeMs: number, { term }: Pick<ForecastQuestion, 'term'>): number {
  const start = new Date(0)
  const life = { start, end: new Date(lifetimeMs) }
  const facts = { life, window: undefined, term, now: start, heldSince: start }
  return planRenewal(facts, NOT_DRAWN).renewAt.getTime() / HOUR_MS
}

/** Without a window nothing is left to chance. */
const NOT_DRAWN: Random = { fraction: () => 0, bytes: (count) => Buffer.alloc(count) }
