import { describe, expect, it } from 'vitest'
import {
  fleetOf,
  forecastRenewals,
  KNOWN_PROFILES,
  type PlannedRenewals,
} from '../../../src/acme/forecast.ts'
import { days, hours } from '../../../src/kernel/index.ts'

const NOW = new Date('2026-11-22T12:20:00Z')
const HOUR = new Date('2026-11-22T12:00:00Z')
const HOURS_A_DAY = 24
const question = {
  ...{ now: NOW, weeks: 4, profiles: [], term: days(60) },
  perHourMax: () => Number.POSITIVE_INFINITY,
}
const inHours = (count: number): Date => new Date(HOUR.getTime() + count * hours(1))
const planned = (hour: number, certificates: number, lifetimeMs: number = days(90)) => ({
  ...{ hourStart: inHours(hour), certificates, lifetimeMs },
})
/** So many an hour, all 60 days long. */
const aSteadyFleet = (anHour: number): readonly PlannedRenewals[] =>
  Array.from({ length: 60 * HOURS_A_DAY }, (_, hour) => planned(hour, anHour))

describe('a fleet', () => {
  const fleet = (...groups: readonly (readonly [number, number])[]) => {
    const { hosts, termMs } = fleetOf(
      groups.map(([certificates, lifetimeMs]) => ({ certificates, lifetimeMs })),
      { term: days(60) },
    )
    return [hosts, Math.round(termMs / hours(1)) / HOURS_A_DAY]
  }

  it('is renewed as often as its certificates are, whatever the term', () => {
    expect(fleet([1_000, days(90)])).toEqual([1_000, 60])
    expect(fleet([1_000, days(45)])).toEqual([1_000, 30])
    // As many renewals a day as two thousand that last for 40 days.
    expect(fleet([1_000, days(90)], [1_000, days(45)])).toEqual([2_000, 40])
    expect(fleet()).toEqual([0, 60])
  })
})

describe('the forecast of renewals', () => {
  it('says what is planned, hour by hour from the full hour on', () => {
    const forecast = forecastRenewals([planned(0, 3), planned(2, 5), planned(2, 1)], question)
    expect(forecast.from).toEqual(HOUR)
    expect(forecast.hours).toHaveLength(4 * 7 * HOURS_A_DAY)
    expect(forecast.hours.slice(0, 4)).toEqual([3, 0, 6, 0])
    expect(forecast).toMatchObject({ total: 9, peakPerHour: 6, isCarried: true })
  })

  it('counts what is overdue in the first hour, and leaves out what lies beyond', () => {
    const { hours: due, total } = forecastRenewals([planned(-48, 2), planned(9_999, 7)], question)
    expect([due[0], total]).toEqual([2, 2])
  })

  it('lets each come again after its term', () => {
    const short = planned(1, 4, hours(160))
    const { hours: due } = forecastRenewals([short, planned(0, 1)], { ...question, weeks: 9 })
    const at = due.flatMap((count, hour) => (count > 0 ? [hour] : []))
    // Half of 160 hours; and 60 days of a certificate that lives for 90.
    expect(at.slice(0, 4)).toEqual([0, 1, 81, 161])
    expect(due[60 * HOURS_A_DAY]).toBe(1)
  })

  it('keeps a steady fleet steady', () => {
    const { peakPerHour, meanPerHour } = forecastRenewals(aSteadyFleet(7), {
      ...question,
      weeks: 52,
    })
    expect([peakPerHour, meanPerHour]).toEqual([7, 7])
  })

  it('says what each profile would come to for good', () => {
    const fleet = aSteadyFleet(10)
    const { profiles } = forecastRenewals(fleet, { ...question, profiles: KNOWN_PROFILES })
    const hosts = 10 * 60 * HOURS_A_DAY
    expect(profiles.map(({ name, renewalsPerDay }) => [name, Math.round(renewalsPerDay)])).toEqual([
      ['classic', hosts / 60],
      ['tlsserver', hosts / 30],
      ['shortlived', (hosts / 80) * HOURS_A_DAY],
    ])
    expect(profiles.map(({ peakPerHour }) => peakPerHour)).toEqual([10, 20, 180])
  })

  it('says whether the budget carries it, and how long the last would wait', () => {
    const crowd = [planned(5, 1_000)]
    const carried = forecastRenewals(crowd, { ...question, perHourMax: () => 100 })
    expect(carried).toMatchObject({ longestWait: hours(9), isCarried: true })
    const late = forecastRenewals(crowd, { ...question, perHourMax: () => 10 })
    expect(late).toMatchObject({ longestWait: hours(99), isCarried: false })
  })

  it('asks the budget for each term: our own pace grows as certificates live shorter', () => {
    const asked: number[] = []
    const perHourMax = (termMs: number): number => {
      asked.push(termMs)
      return 15
    }
    const { isCarried, profiles } = forecastRenewals(aSteadyFleet(10), {
      ...{ ...question, perHourMax, profiles: KNOWN_PROFILES.slice(0, 2) },
    })
    expect(asked.map(Math.round)).toEqual([days(60), days(60), days(30)])
    expect(isCarried).toBe(true)
    expect(profiles.map((profile) => profile.isCarried)).toEqual([true, false])
  })

  it('has nothing to say about no certificates', () => {
    const forecast = forecastRenewals([], { ...question, weeks: 0, profiles: KNOWN_PROFILES })
    expect(forecast).toMatchObject({ hours: [], total: 0, meanPerHour: 0, isCarried: true })
    expect(forecast.profiles.map(({ renewalsPerDay }) => renewalsPerDay)).toEqual([0, 0, 0])
  })
})
