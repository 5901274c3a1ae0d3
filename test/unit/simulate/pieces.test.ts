import { describe, expect, it } from 'vitest'
import { createCalendar, MINUTE_MS } from '../../../bench/simulate/calendar.ts'
import { judgeEnd } from '../../../bench/simulate/endings.ts'
import { createWaitingLine } from '../../../bench/simulate/waiting-line.ts'
import { days, hours } from '../../../src/kernel/index.ts'

describe('the calendar', () => {
  const played = (calendar: ReturnType<typeof createCalendar>, minute: number): string[] => {
    const seen: string[] = []
    calendar.play(minute, (item, dueMs) => seen.push(`${item}@${dueMs}`))
    return seen
  }

  it('hands out a minute in order, each item once, where it was put last', () => {
    const calendar = createCalendar(5, { startMs: 0, endMs: 10 * MINUTE_MS })
    calendar.put(0, 500)
    calendar.put(1, 200)
    calendar.put(2, 200)
    calendar.put(3, 100)
    calendar.put(3, MINUTE_MS + 7)
    calendar.put(4, 300)
    calendar.remove(4)
    expect(played(calendar, 0)).toEqual(['1@200', '2@200', '0@500'])
    expect(played(calendar, 1)).toEqual([`3@${MINUTE_MS + 7}`])
  })

  it('loses nothing that is put into a minute which is being played, or is over', () => {
    const calendar = createCalendar(2, { startMs: 0, endMs: 10 * MINUTE_MS })
    calendar.put(0, 100)
    const seen: number[] = []
    calendar.play(0, (item) => {
      seen.push(item)
      if (item === 0) calendar.put(1, 200)
    })
    expect(seen).toEqual([0, 1])
    calendar.put(0, 300)
    expect(played(calendar, 1)).toEqual([`0@${MINUTE_MS}`])
  })

  it('forgets what lies behind the end', () => {
    const calendar = createCalendar(1, { startMs: 0, endMs: MINUTE_MS })
    calendar.put(0, 2 * MINUTE_MS)
    expect(played(calendar, 0)).toEqual([])
  })
})

describe('the line', () => {
  it('lets accounts take turns, and who was claimed in vain comes again last', () => {
    const accountOf = (host: number) => (host < 4 ? 0 : 1)
    const line = createWaitingLine({ hosts: 6, accounts: 2, accountOf })
    for (const host of [0, 1, 2, 3, 4, 5]) line.enqueue(host, 'first')
    expect(line.claim('first', 2)).toEqual([0, 4])
    line.enqueue(4, 'first')
    line.remove(0)
    expect(line.size).toBe(5)
    expect(line.claim('first', 9)).toEqual([1, 5, 2, 4, 3])
  })

  it('gives a new place to who has become more urgent', () => {
    const line = createWaitingLine({ hosts: 2, accounts: 1, accountOf: () => 0 })
    line.enqueue(0, 'renewal')
    line.enqueue(1, 'renewal')
    line.enqueue(1, 'expiring')
    expect(line.claim('expiring', 9)).toEqual([1])
    expect(line.claim('renewal', 9)).toEqual([0])
  })
})

describe('the end of a certificate', () => {
  const certificate = { renewAtMs: days(60), notAfterMs: days(90) }
  const judged = (wrong: readonly [number, number], outage: readonly [number, number]) =>
    judgeEnd(0, certificate, {
      population: {
        dnsAt: (_host, nowMs) => (wrong[0] <= nowMs && nowMs < wrong[1] ? 'wrong' : 'right'),
        dnsChangesMs: (_host, nowMs) => wrong.find((at) => at > nowMs) ?? Number.POSITIVE_INFINITY,
      },
      outages: [{ fromMs: outage[0], toMs: outage[1] }],
    })
  const never = [0, 0] as const

  it('was to be avoided if all was right for two days at a stretch', () => {
    expect(judged(never, never)).toBe('avoidable')
    expect(judged(never, [days(59), days(88)])).toBe('avoidable')
    expect(judged([days(61), days(80)], [days(82), days(89)])).toBe('avoidable')
  })

  it('was not, if DNS or the CA left no such time', () => {
    expect(judged(never, [days(59), days(88) + 1])).toBe('ca-down')
    expect(judged([days(59), days(88) + hours(1)], never)).toBe('dns-wrong')
    expect(judged([days(61), days(80)], [days(81), days(89)])).toBe('ca-down')
  })

  it('matters to nobody where DNS leads elsewhere by then', () => {
    expect(judged([days(89), days(99)], never)).toBe('dns-wrong')
  })
})
