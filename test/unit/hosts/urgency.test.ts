import { describe, expect, it } from 'vitest'
import { type CertificateLife, isEndNear, isIdle, urgencyOf } from '../../../src/hosts/index.ts'
import { days } from '../../../src/kernel/index.ts'

const NOW = new Date('2026-11-22T12:00:00Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR
const at = (ms: number) => new Date(NOW.getTime() + ms)
const CONTEXT = { now: NOW, idleAfter: days(180) }
const host = { createdAt: at(-900 * DAY), visitedAt: at(-DAY), renewalAskedAt: undefined }

/** A certificate of so many days, of which so many hours are left. */
const leftOf = (lifeDays: number, hoursLeft: number): CertificateLife => ({
  notBefore: at(hoursLeft * HOUR - lifeDays * DAY),
  notAfter: at(hoursLeft * HOUR),
  renewAt: NOW,
})

describe('how urgent a certificate is', () => {
  it.each([
    ['there is none', undefined, {}, 'first'],
    ['it is to be renewed', leftOf(90, 720), {}, 'renewal'],
    ['less than two days are left', leftOf(90, 47), {}, 'expiring'],
    ['two days are left', leftOf(90, 48), {}, 'renewal'],
    ['a quarter of six days is left', leftOf(6, 35), {}, 'expiring'],
    ['more than a quarter of six days is left', leftOf(6, 37), {}, 'renewal'],
    ['it is over', leftOf(90, -1), {}, 'expiring'],
    ['it was revoked', { ...leftOf(90, 720), revokedAt: NOW }, {}, 'replace-now'],
    [
      'the CA wants it replaced',
      { ...leftOf(90, 720), renewBecause: 'ca-says-now' },
      {},
      'replace-now',
    ],
    ['somebody asked', leftOf(90, 720), { renewalAskedAt: NOW }, 'replace-now'],
    ['nobody comes any more', leftOf(90, 720), { visitedAt: at(-180 * DAY) }, 'idle'],
    ['nobody ever came', leftOf(90, 720), { visitedAt: undefined }, 'idle'],
    [
      'nobody came yet',
      leftOf(90, 720),
      { visitedAt: undefined, createdAt: at(-60 * DAY) },
      'renewal',
    ],
    ['nobody comes, and it ends', leftOf(90, 10), { visitedAt: undefined }, 'expiring'],
    ['nobody comes, and it is over', leftOf(90, -1), { visitedAt: undefined }, 'idle'],
    [
      'nobody comes, it is over, and somebody asked',
      leftOf(90, -1),
      { visitedAt: undefined, renewalAskedAt: NOW },
      'expiring',
    ],
  ])('follows from this: %s', (_, life, over, expected) => {
    expect(urgencyOf({ ...host, ...over }, life, CONTEXT)).toBe(expected)
  })

  it('is of no matter to whom is left alone until somebody comes', () => {
    const lazy = { ...CONTEXT, idlePolicy: 'lazy' } as const
    const idle = { ...host, visitedAt: undefined }
    for (const life of [leftOf(90, 10), leftOf(90, -1), leftOf(90, 720)]) {
      expect(urgencyOf(idle, life, lazy)).toBe('idle')
    }
    expect(urgencyOf(host, leftOf(90, 10), lazy)).toBe('expiring')
    const revoked = { ...leftOf(90, 720), revokedAt: NOW }
    expect(urgencyOf(idle, revoked, lazy)).toBe('replace-now')
    expect(isEndNear(leftOf(90, 1), NOW)).toBe(true)
    expect(isEndNear(leftOf(90, 0), NOW)).toBe(false)
  })

  it('knows no idle hosts without a rule for them', () => {
    expect(isIdle({ ...host, visitedAt: undefined }, { now: NOW })).toBe(false)
  })
})
