import { describe, expect, it } from 'vitest'
import { type CaNeed, type CaStanding, chooseCa, isOverdue } from '../../../src/acme/ca-choice.ts'
import { days, hours, minutes } from '../../../src/kernel/index.ts'

const now = new Date('2026-11-22T12:00:00Z')
const ago = (ms: number) => new Date(now.getTime() - ms)
const inMs = (ms: number) => new Date(now.getTime() + ms)

const aStanding = (name: string, different: Partial<CaStanding> = {}): CaStanding => ({
  ...{ name, health: { kind: 'up' }, caa: 'allows', budget: { kind: 'room' }, isPaused: false },
  ...different,
})
const down = (sinceMs: number, until?: Date): Partial<CaStanding> => ({
  health: { kind: 'down', since: ago(sinceMs), until },
})
const held = (untilMs: number): Partial<CaStanding> => ({
  health: { kind: 'held', until: inMs(untilMs) },
})
const empty = (untilMs: number): Partial<CaStanding> => ({
  budget: { kind: 'empty', until: inMs(untilMs) },
})
const forbidden: Partial<CaStanding> = { caa: 'forbids' }
const paused: Partial<CaStanding> = { isPaused: true }

const first: CaNeed = { urgency: 'first', waitingSince: now }
/** On day 60 of 90. */
const renewal: CaNeed = {
  ...{ urgency: 'renewal', waitingSince: now, renewAt: now, notAfter: inMs(days(30)) },
}
const choose = (need: CaNeed, ...authorities: readonly CaStanding[]) =>
  chooseCa({ authorities, need, now })
const second = aStanding('second')
const choiceOf = (need: CaNeed, preferred: Partial<CaStanding>) =>
  choose(need, aStanding('preferred', preferred), second)

describe('the choice of a CA', () => {
  it('is the preferred one while nothing is wrong with it', () => {
    const go = { kind: 'go', ca: 'preferred', because: 'preferred' }
    expect(choiceOf(first, {})).toEqual(go)
    expect(choiceOf(renewal, {})).toEqual(go)
    expect(choose(first, aStanding('preferred'))).toEqual(go)
  })

  it('passes over a CA that a CAA record forbids, whatever the hurry', () => {
    const go = { kind: 'go', ca: 'second', because: 'caa' }
    expect(choiceOf(first, forbidden)).toEqual(go)
    expect(choiceOf(renewal, forbidden)).toEqual(go)
    expect(choose(first, aStanding('preferred', forbidden))).toEqual({ kind: 'none-allowed' })
  })

  it('passes over a CA that has paused the name', () => {
    expect(choiceOf(renewal, paused)).toEqual({ kind: 'go', ca: 'second', because: 'paused' })
    const wait = { kind: 'wait', until: undefined, ca: 'preferred', because: 'paused' }
    expect(choose(first, aStanding('preferred', paused))).toEqual(wait)
  })

  it('waits ten minutes for a CA that is down before a first certificate goes elsewhere', () => {
    const until = inMs(minutes(3))
    const wait = { kind: 'wait', until, ca: 'preferred', because: 'ca-down' }
    expect(choiceOf(first, down(minutes(7)))).toEqual(wait)
    const go = { kind: 'go', ca: 'second', because: 'ca-down' }
    expect(choiceOf(first, down(minutes(10)))).toEqual(go)
  })

  it('comes back when a CA that is down is asked again, if that is sooner', () => {
    const soon = inMs(minutes(1))
    expect(choiceOf(first, down(minutes(7), soon))).toHaveProperty('until', soon)
    expect(choiceOf(first, down(minutes(7), inMs(hours(1))))).toHaveProperty(
      'until',
      inMs(minutes(3)),
    )
  })

  it('comes the less often, the longer a CA is down: most of the fleet may be waiting for it', () => {
    const alone = (need: CaNeed, sinceMs: number) =>
      choose(need, aStanding('only', down(sinceMs, inMs(minutes(1)))))
    const soon = inMs(minutes(1))
    expect(alone(renewal, minutes(5))).toHaveProperty('until', soon)
    expect(alone(renewal, minutes(50))).toHaveProperty('until', inMs(minutes(5)))
    expect(alone(renewal, days(20))).toHaveProperty('until', inMs(hours(6)))
    expect(alone({ ...renewal, urgency: 'idle' }, days(20))).toHaveProperty('until', inMs(hours(6)))
    expect(alone(first, minutes(50))).toHaveProperty('until', inMs(minutes(5)))
    const urgent: readonly CaNeed[] = [
      first,
      { ...renewal, urgency: 'expiring' },
      { ...renewal, urgency: 'replace-now' },
    ]
    for (const need of urgent) {
      expect(alone(need, days(20))).toHaveProperty('until', inMs(minutes(10)))
    }
  })

  it.each([
    ['told us all to wait', held],
    ['has no room', empty],
  ])('waits for a CA that %s, if that is over in time', (_name, limited) => {
    const until = inMs(minutes(9))
    const wait = { kind: 'wait', until, ca: 'preferred', because: 'rate-limited' }
    expect(choiceOf(first, limited(minutes(9)))).toEqual(wait)
    const go = { kind: 'go', ca: 'second', because: 'rate-limited' }
    expect(choiceOf(first, limited(minutes(11)))).toEqual(go)
    const old = { ...first, waitingSince: ago(minutes(10)) }
    expect(choiceOf(old, limited(minutes(1)))).toEqual(go)
  })

  it('waits for both, the limit of all and the one of the order', () => {
    const later1 = { ...held(minutes(2)), ...empty(minutes(5)) }
    expect(choiceOf(first, later1)).toHaveProperty('until', inMs(minutes(5)))
    const later2 = { ...held(minutes(6)), ...empty(minutes(5)) }
    expect(choiceOf(first, later2)).toHaveProperty('until', inMs(minutes(6)))
  })

  it('lets a renewal wait until half of what was left at its time is gone', () => {
    const at = (sinceRenewalMs: number): CaNeed => ({
      ...renewal,
      ...{ renewAt: ago(sinceRenewalMs), notAfter: inMs(days(30) - sinceRenewalMs) },
    })
    expect(choiceOf(at(days(14)), down(days(14)))).toHaveProperty('kind', 'wait')
    const go = { kind: 'go', ca: 'second', because: 'ca-down' }
    expect(choiceOf(at(days(15)), down(days(15)))).toEqual(go)
    expect(choiceOf(renewal, empty(days(14)))).toHaveProperty('kind', 'wait')
    expect(choiceOf(renewal, empty(days(16)))).toHaveProperty('kind', 'go')
  })

  it('keeps 48 hours of the life of a short certificate', () => {
    const short: CaNeed = { ...renewal, renewAt: ago(hours(31)), notAfter: inMs(hours(49)) }
    expect(choiceOf(short, down(hours(1)))).toHaveProperty('kind', 'wait')
    const shorter: CaNeed = { ...renewal, renewAt: ago(hours(32)), notAfter: inMs(hours(48)) }
    expect(choiceOf(shorter, down(hours(1)))).toHaveProperty('kind', 'go')
  })

  it('counts from the wait where it is not known when the renewal was due', () => {
    const need: CaNeed = { ...renewal, renewAt: undefined, waitingSince: ago(days(16)) }
    expect(choiceOf({ ...need, notAfter: inMs(days(14)) }, down(days(1)))).toHaveProperty(
      'kind',
      'go',
    )
  })

  it('waits four hours, no longer, when a certificate is to be replaced now', () => {
    const revoked: CaNeed = { ...renewal, urgency: 'replace-now' }
    expect(choiceOf(revoked, empty(hours(4)))).toHaveProperty('kind', 'wait')
    expect(choiceOf(revoked, empty(hours(5)))).toHaveProperty('kind', 'go')
  })

  it('does not wait at all when the certificate is expiring', () => {
    const expiring: CaNeed = { ...renewal, urgency: 'expiring', notAfter: inMs(hours(40)) }
    const go = { kind: 'go', ca: 'second', because: 'rate-limited' }
    expect(choiceOf(expiring, empty(1))).toEqual(go)
  })

  it('waits for the soonest when no CA can be asked', () => {
    const none = (one: Partial<CaStanding>, other: Partial<CaStanding>) =>
      choose(first, aStanding('one', one), aStanding('other', other))
    const sooner = { kind: 'wait', until: inMs(hours(1)), ca: 'other', because: 'rate-limited' }
    expect(none(held(hours(2)), empty(hours(1)))).toEqual(sooner)
    expect(none(down(hours(2)), empty(hours(1)))).toEqual(sooner)
    expect(none(paused, empty(hours(1)))).toEqual(sooner)
    expect(none(empty(hours(1)), down(hours(2)))).toHaveProperty('ca', 'one')
    expect(none(empty(hours(1)), empty(hours(1)))).toHaveProperty('ca', 'one')
    expect(none(forbidden, down(hours(2)))).toEqual({
      ...{ kind: 'wait', until: undefined, ca: 'other', because: 'ca-down' },
    })
  })

  it('waits for a second choice before it goes to a third', () => {
    const third = aStanding('third')
    const answer = choose(
      first,
      aStanding('one', down(hours(2))),
      aStanding('two', held(minutes(1))),
      third,
    )
    expect(answer).toEqual({
      ...{ kind: 'wait', until: inMs(minutes(1)), ca: 'two', because: 'rate-limited' },
    })
  })

  it('tells why it is not the preferred one, however many are passed over', () => {
    const answer = choose(
      first,
      aStanding('one', forbidden),
      aStanding('two', down(hours(2))),
      aStanding('three'),
    )
    expect(answer).toEqual({ kind: 'go', ca: 'three', because: 'caa' })
  })

  it('treats a CA that refuses us as one that is down', () => {
    const refusing = (sinceMs: number): Partial<CaStanding> => ({
      health: { kind: 'refuses-us', since: ago(sinceMs), until: inMs(minutes(1)) },
    })
    for (const [need, sinceMs] of [
      ...([[first, minutes(7)] as const, [first, minutes(10)] as const] as const),
      ...([[renewal, days(3)] as const] as const),
      [{ ...renewal, urgency: 'expiring' }, 0] as const,
    ]) {
      const asDown = choiceOf(need, down(sinceMs, inMs(minutes(1))))
      expect(choiceOf(need, refusing(sinceMs))).toEqual(asDown)
    }
    expect(choiceOf(first, refusing(minutes(10)))).toMatchObject({ kind: 'go', ca: 'second' })
  })
})

describe('an order that is open for long', () => {
  const late: CaNeed = { ...renewal, urgency: 'expiring', notAfter: inMs(hours(20)) }
  it.each([
    ['a first certificate, after ten minutes', first, minutes(10), true],
    ['a first certificate, before that', first, minutes(9), false],
    ['a certificate that ends soon, after ten minutes', late, minutes(10), true],
    ['a certificate that ends soon, before that', late, minutes(9), false],
    ['a renewal that has time', renewal, days(5), false],
  ] as const)('is overdue for %s', (_, need, openFor, isSo) => {
    expect(isOverdue(ago(openFor), need, now)).toBe(isSo)
  })
})
