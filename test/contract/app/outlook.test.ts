import { describe, expect, it } from 'vitest'
import { describeQueue } from '../../../src/app/queued-hosts.ts'
import { createRenewalForecast } from '../../../src/app/renewal-forecast.ts'
import { days, minutes } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { openSqliteTestStore } from '../../support/stores.ts'

const NOW = new Date('2026-11-22T12:30:00Z')
const OPTIONS = { ca: 'letsencrypt', term: days(60), limits: undefined }

describe('the queue', () => {
  it('is told by urgency, with the time since when the next in line waits', async () => {
    await using store = await openSqliteTestStore()
    const wait = (hostname: string, priority: number, rank: number, minute: number) => ({
      ...{ hostname, domain: 'x.test', state: 'issuing', checks: '[]', https_safe: 0, failures: 0 },
      ...{ created_at: 0, updated_at: 0, priority, queue_rank: rank },
      queued_at: NOW.getTime() + minutes(minute),
    })
    await store.db
      .insertInto('hosts')
      .values([wait('a.x.test', 2, 7, 1), wait('b.x.test', 2, 3, 0), wait('c.x.test', 4, 1, 5)])
      .execute()
    const counts = { expiring: 0, 'replace-now': 0, first: 2, renewal: 0, idle: 1 }
    expect(await describeQueue(counts, store)).toEqual([
      { urgency: 'expiring', count: 0, oldest: undefined },
      { urgency: 'replace-now', count: 0, oldest: undefined },
      { urgency: 'first', count: 2, oldest: NOW },
      { urgency: 'renewal', count: 0, oldest: undefined },
      { urgency: 'idle', count: 1, oldest: new Date('2026-11-22T12:35:00Z') },
    ])
  })
})

describe('the forecast', () => {
  const inThreeHours = { hourStart: new Date('2026-11-22T15:00:00Z'), lifetimeMs: days(90) }

  it('counts what is planned, and says what a change of profile would come to', async () => {
    const certs = { renewalsByHour: async () => [{ ...inThreeHours, certificates: 7 }] }
    const clock = createFakeClock(NOW.toISOString())
    const forecast = await createRenewalForecast({ certs, clock }, OPTIONS)()
    expect(forecast.from).toEqual(new Date('2026-11-22T12:00:00Z'))
    expect(forecast.hours).toHaveLength(4 * 7 * 24)
    expect(forecast.hours.slice(0, 5)).toEqual([0, 0, 0, 7, 0])
    expect(forecast.isCarried).toBe(true)
    const shortlived = forecast.profiles.find(({ name }) => name === 'shortlived')
    expect(shortlived?.renewalsPerDay).toBeCloseTo(7 / (80 / 24), 1)
  })

  it('is asked of the store again only after a while', async () => {
    let asked = 0
    const certs = {
      renewalsByHour: async () => {
        asked += 1
        return []
      },
    }
    const clock = createFakeClock(NOW.toISOString())
    const forecast = createRenewalForecast({ certs, clock }, OPTIONS)
    await Promise.all([forecast(), forecast()])
    await forecast()
    expect(asked).toBe(1)
    await clock.advance(minutes(5) + 1)
    await forecast()
    expect(asked).toBe(2)
  })
})
