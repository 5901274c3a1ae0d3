import { describe, expect, it } from 'vitest'
import { type Host, newHost } from '../../../src/hosts/index.ts'
import {
  days,
  type Hostname,
  hours,
  parseHostname,
  type Reason,
} from '../../../src/kernel/index.ts'
import {
  type AttendanceFacts,
  type AttendanceRules,
  type HeldLife,
  planAttendance,
  soakEnds,
  waitingSince,
} from '../../../src/lifecycle/attendance-plan.ts'

const NOW = new Date('2026-11-22T12:00:00Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR
const at = (ms: number) => new Date(NOW.getTime() + ms)
const RULES: AttendanceRules = { soak: hours(1), idleAfter: days(180), idlePolicy: 'last' }
const LIMITED: Reason = { code: 'ca/rate-limited', sentence: 'Limited.', fix: 'Wait.' }

const fresh = newHost(parseHostname('email.customer.test') as Hostname, 'customer.test', NOW)
const active: Host = { ...fresh, state: 'active', httpsSafe: true, nextAttemptAt: NOW }
const current: HeldLife = {
  ...{ notBefore: at(-40 * DAY), notAfter: at(50 * DAY), renewAt: at(20 * DAY) },
  createdAt: at(-40 * DAY),
}
const due: HeldLife = { ...current, renewAt: at(-HOUR) }
const brandNew: HeldLife = {
  ...{ notBefore: at(-HOUR), notAfter: at(90 * DAY), renewAt: at(60 * DAY), createdAt: NOW },
}

const plan = (over: Partial<AttendanceFacts>, rules: Partial<AttendanceRules> = {}) =>
  planAttendance(
    { host: active, via: 'due', current, waiting: undefined, now: NOW, ...over },
    { ...RULES, ...rules },
  ).kind

describe('what is done with a host that somebody comes to work on', () => {
  it.each<[string, Partial<AttendanceFacts>, string]>([
    ['new', { host: fresh, current: undefined }, 'look-and-issue'],
    ['well', {}, 'look-regularly'],
    ['well, and somebody asked for a look', { via: 'asked' }, 'look-and-serve'],
    [
      'failing, with a certificate that will do',
      { host: { ...active, state: 'failing' } },
      'look-and-serve',
    ],
    ['not promised to be safe', { host: { ...active, httpsSafe: false } }, 'look-and-serve'],
    ['due', { current: due }, 'look-and-issue'],
    ['revoked', { current: { ...current, revokedAt: NOW } }, 'look-and-issue'],
    ['asked for', { host: { ...active, renewalAskedAt: NOW } }, 'look-and-issue'],
    [
      'asked for before the certificate was made',
      { host: { ...active, renewalAskedAt: at(-41 * DAY) } },
      'look-regularly',
    ],
    [
      'told to wait by a CA',
      { current: due, host: { ...active, reason: LIMITED, nextAttemptAt: at(HOUR) } },
      'look-only',
    ],
    [
      'told to wait by a CA until now',
      { current: due, host: { ...active, reason: LIMITED } },
      'look-and-issue',
    ],
    ['one whose next certificate is there', { current: due, waiting: brandNew }, 'let-soak'],
    [
      'one whose next certificate is there, and somebody asked for a look',
      { current: due, waiting: brandNew, via: 'asked' },
      'look-and-let-soak',
    ],
    [
      'one whose next certificate has soaked',
      { current: due, waiting: { ...brandNew, createdAt: at(-HOUR) } },
      'use-waiting',
    ],
    [
      'one for which yet another was asked',
      { current: due, waiting: brandNew, host: { ...active, renewalAskedAt: at(1) } },
      'look-and-issue',
    ],
    [
      'one that was killed before its first',
      { current: undefined, waiting: brandNew },
      'use-waiting',
    ],
  ])('that is %s', (_, facts, expected) => {
    expect(plan(facts)).toBe(expected)
  })

  it('leaves alone whom nobody visits, if that is the policy, until somebody asks or comes', () => {
    const idle: Host = { ...active, createdAt: at(-300 * DAY), httpsSafe: false }
    expect(plan({ host: idle, current: due })).toBe('look-and-issue')
    const lazy = { idlePolicy: 'lazy' } as const
    expect(plan({ host: idle, current: due }, lazy)).toBe('look-regularly')
    expect(plan({ host: { ...idle, visitedAt: NOW }, current: due }, lazy)).toBe('look-and-issue')
    expect(plan({ host: { ...idle, renewalAskedAt: NOW }, current: due }, lazy)).toBe(
      'look-and-issue',
    )
  })

  it("asks no CA for whom the owner's certificates serve", () => {
    const own: Host = { ...active, certificateFrom: 'customer', renewalAskedAt: NOW }
    expect(plan({ host: own, current: due })).toBe('look-regularly')
    expect(plan({ host: own, current: due, via: 'asked' })).toBe('look-regularly')
    expect(plan({ host: { ...own, httpsSafe: false } })).toBe('serve')
    expect(plan({ host: { ...own, httpsSafe: false, awayAt: NOW } })).toBe('look-regularly')
    expect(plan({ host: { ...own, httpsSafe: false, leftAt: NOW } })).toBe('look-regularly')
    expect(plan({ host: own, waiting: brandNew })).toBe('use-waiting')
    expect(plan({ host: own, current: undefined })).toBe('look-only')
  })

  it("looks where DNS leads before an owner's certificate counts, and after its end", () => {
    const own: Host = { ...fresh, certificateFrom: 'customer' }
    expect(plan({ host: own })).toBe('look-regularly')
    expect(plan({ host: own, waiting: brandNew })).toBe('use-waiting-and-look')
    const over = { ...current, notAfter: NOW }
    const served: Host = { ...active, certificateFrom: 'customer', httpsSafe: false }
    expect(plan({ host: served, current: over })).toBe('look-regularly')
  })

  it('gets no other certificate for a name that is over, whatever is there', () => {
    const ceased: Host = { ...active, state: 'failing', ceasedAt: NOW }
    const revoked = { ...due, revokedAt: NOW }
    expect(plan({ host: ceased, current: revoked })).toBe('look-regularly')
    expect(plan({ host: ceased, current: revoked, waiting: brandNew, via: 'asked' })).toBe(
      'look-regularly',
    )
    expect(plan({ host: ceased, current: undefined })).toBe('look-only')
  })
})

describe('the time since when a host has waited for a CA', () => {
  const since = (host: Partial<Host>, life?: Parameters<typeof waitingSince>[1]) =>
    waitingSince({ ...fresh, ...host }, life, NOW)

  it.each<[string, Partial<Host>, Parameters<typeof waitingSince>[1], number]>([
    ['became ready', { createdAt: at(-9 * DAY), readyAt: at(-HOUR) }, undefined, -HOUR],
    ['got its place', { queuedAt: at(-HOUR), readyAt: at(-DAY) }, undefined, -DAY],
    ['is looked at now', { createdAt: at(-9 * DAY) }, undefined, 0],
    ['was due', {}, { renewAt: at(-DAY) }, -DAY],
    ['was queued before it was due', { queuedAt: at(-2 * DAY) }, { renewAt: at(-DAY) }, -2 * DAY],
    ['was revoked', {}, { renewAt: at(DAY), revokedAt: at(-HOUR) }, -HOUR],
    ['was asked for', { renewalAskedAt: at(-HOUR) }, { renewAt: at(DAY) }, -HOUR],
    ['is asked by a clock that was put back', { renewalAskedAt: at(DAY) }, { renewAt: at(DAY) }, 0],
  ])('begins when it %s', (_, host, life, expected) => {
    expect(since(host, life)).toEqual(at(expected))
  })
})

describe('the time that a new certificate soaks', () => {
  const ends = (over: { readonly current?: HeldLife | undefined; readonly host?: Host }) =>
    soakEnds({ host: active, current: due, waiting: brandNew, now: NOW, ...over }, RULES)

  it('is an hour while the old one will do', () => {
    expect(ends({})).toEqual(at(HOUR))
  })

  it.each<[string, Parameters<typeof ends>[0]]>([
    ['is no old one', { current: undefined }],
    ['old one is over', { current: { ...due, notAfter: NOW } }],
    ['old one nears its end', { current: { ...due, notAfter: at(40 * HOUR) } }],
    ['old one was revoked', { current: { ...due, revokedAt: NOW } }],
    ['CA wants it replaced', { current: { ...due, renewBecause: 'ca-says-now' } }],
    ['owner waits for it', { host: { ...active, renewalAskedAt: at(-1) } }],
  ])('is none where the %s', (_, over) => {
    expect(ends(over)).toEqual(NOW)
  })

  it('is never more than a quarter of what is left', () => {
    const brief: HeldLife = {
      ...{ notBefore: at(-HOUR), notAfter: at(2 * HOUR), renewAt: NOW, createdAt: at(-HOUR) },
    }
    expect(ends({ current: brief })).toEqual(at(HOUR / 2))
  })

  it('is not longer because the clock was put back', () => {
    const waiting = { ...brandNew, createdAt: at(DAY) }
    const facts = { host: active, current: due, waiting, now: NOW }
    expect(soakEnds(facts, RULES)).toEqual(at(HOUR))
  })
})
