import { describe, expect, it } from 'vitest'
import {
  type CertificateLife,
  type Host,
  type HostEvent,
  hasLeft,
  type MoveContext,
  moveHost,
  newHost,
} from '../../../src/hosts/index.ts'
import {
  days,
  type Hostname,
  parseHostname,
  type Reason,
  type ReasonCode,
} from '../../../src/kernel/index.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

const NOW = new Date('2026-11-22T12:00:00Z')
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const at = (ms: number) => new Date(NOW.getTime() + ms)
const random = { ...createSeededRandom(), fraction: () => 0.5 }
const reason = (code: ReasonCode): Reason => ({ code, sentence: `${code}.`, fix: 'Mend it.' })
const LIMITED = reason('ca/rate-limited')
const NXDOMAIN = reason('dns/nxdomain')
const OVER = reason('certificate/expiring')

const fresh = newHost(parseHostname('email.customer.test') as Hostname, 'customer.test', NOW)
const active: Host = {
  ...fresh,
  ...{ state: 'active', httpsSafe: true, urgency: 'renewal', nextAttemptAt: at(DAY), readyAt: NOW },
}
const ended: CertificateLife = {
  notBefore: at(-90 * DAY),
  notAfter: at(-HOUR),
  renewAt: at(-30 * DAY),
}
const ending = { ...ended, notAfter: at(10 * HOUR) }
const move = (host: Host, event: HostEvent, context: Partial<MoveContext> = {}) =>
  moveHost(host, event, {
    ...{ now: NOW, random, lookEvery: days(1), idleAfter: days(180), ...context },
  })
const waitMs = (host: Host) => (host.nextAttemptAt?.getTime() ?? Number.NaN) - NOW.getTime()

describe('a host that waits for a CA', () => {
  it('is not active any more once its certificate is over', () => {
    const until = at(HOUR)
    const queued = { kind: 'queued', reason: LIMITED, until } as const
    const held = { kind: 'held', reason: LIMITED, until } as const
    for (const event of [queued, held]) {
      expect(move(active, { ...event, life: ended }).state).toBe('failing')
      expect(move(active, { ...event, life: ending }).state).toBe('active')
      expect(move({ ...active, state: 'paused' }, { ...event, life: ended }).state).toBe('paused')
    }
    const silent = { kind: 'not-ready', reason: reason('dns/servfail'), checks: [] } as const
    expect(move(active, { ...silent, life: ended }).state).toBe('failing')
  })

  it('is told so even while nobody works on it', () => {
    const queued: Host = { ...active, queuedAt: NOW, reason: LIMITED }
    expect(move(queued, { kind: 'expired', reason: OVER })).toMatchObject({
      ...{ state: 'failing', httpsSafe: false, told: 'failing' },
      ...{ reason: LIMITED, queuedAt: NOW, nextAttemptAt: at(DAY) },
    })
    expect(move(active, { kind: 'expired', reason: OVER }).reason).toBe(OVER)
    const failing: Host = { ...active, state: 'failing' }
    expect(move(failing, { kind: 'expired', reason: OVER })).toBe(failing)
  })

  it('counts as ready from the moment when it did not wait for DNS any more', () => {
    expect(fresh.readyAt).toBeUndefined()
    const ready = move(fresh, { kind: 'ready', checks: [] }, { now: at(HOUR) })
    expect(ready.readyAt).toEqual(at(HOUR))
    const again = move(ready, { kind: 'ready', checks: [] }, { now: at(DAY) })
    expect(again.readyAt).toEqual(at(HOUR))
    const away = { kind: 'not-ready', reason: NXDOMAIN, checks: [], life: undefined } as const
    expect(move(again, away).readyAt).toBeUndefined()
    expect(move(active, { kind: 'retired' }).readyAt).toBeUndefined()
  })
})

describe('the last days of a certificate', () => {
  const refused = (life: CertificateLife, code: ReasonCode = 'ca/rejected') =>
    move(
      { ...active, failures: 7 },
      { kind: 'refused', reason: reason(code), retryAt: undefined, life },
    )

  it('see an attempt every hour, unless the CA named a time', () => {
    expect(waitMs(refused(ending))).toBe(66 * MINUTE)
    expect(waitMs(refused({ ...ending, notAfter: at(30 * DAY) }))).toBe(26.4 * HOUR)
    expect(waitMs(refused(ended))).toBe(26.4 * HOUR)
    expect(waitMs(refused(ending, 'ca/paused'))).toBe(26.4 * HOUR)
    const event = { kind: 'refused', reason: LIMITED, retryAt: at(5 * HOUR), life: ending } as const
    expect(waitMs(move(active, event))).toBe(5 * HOUR)
  })

  it('see a look every hour, and another try after a fault of ours', () => {
    const host: Host = { ...active, state: 'failing', failures: 7, urgency: 'expiring' }
    const away = { kind: 'not-ready', reason: NXDOMAIN, checks: [], life: ending } as const
    expect(waitMs(move(host, away))).toBe(66 * MINUTE)
    const failed = { kind: 'failed', reason: reason('postern/internal') } as const
    expect(waitMs(move(host, failed))).toBe(66 * MINUTE)
    expect(waitMs(move({ ...host, urgency: 'renewal' }, failed))).toBe(26.4 * HOUR)
  })
})

describe("an owner's certificate", () => {
  const own: Host = { ...fresh, certificateFrom: 'customer' }
  const life = { ...ending, notAfter: at(60 * DAY) }
  const away = { kind: 'not-ready', reason: NXDOMAIN, checks: [], life, isAway: true } as const

  it('does not make a host whose DNS never led here one that fails, or leaves', () => {
    let host = own
    for (let look = 0; look < 9; look += 1) host = move(host, away, { now: at(look * HOUR) })
    expect(host).toMatchObject({ state: 'waiting-for-dns', httpsSafe: false, awayAt: undefined })
    expect(hasLeft(host, at(DAY))).toBe(false)
  })

  it('that is over leaves its host failing, and looked at', () => {
    const host = move(
      { ...active, certificateFrom: 'customer', failures: 3 },
      {
        ...{ kind: 'lacking', reason: OVER, checks: [] },
      },
    )
    expect(host).toMatchObject({ state: 'failing', reason: OVER, httpsSafe: false, failures: 0 })
    expect(waitMs(host)).toBe(DAY)
  })
})

describe('a name that is over', () => {
  const revoked = reason('certificate/revoked')
  const ceased = move({ ...active, queuedAt: NOW }, { kind: 'ceased', reason: revoked })

  it('promises nothing, waits for nothing, and is looked at', () => {
    expect(ceased).toMatchObject({
      ...{ state: 'failing', httpsSafe: false, ceasedAt: NOW, queuedAt: undefined },
    })
    expect(waitMs(ceased)).toBe(DAY)
    const moved = { kind: 'renewal-moved', renewAt: NOW, urgency: 'replace-now' } as const
    expect(move(ceased, moved)).toMatchObject({ nextAttemptAt: ceased.nextAttemptAt })
  })

  it('goes on when somebody asks for a certificate', () => {
    expect(move(ceased, { kind: 'renewal-asked' })).toMatchObject({
      ...{ ceasedAt: undefined, nextAttemptAt: NOW },
    })
    expect(move(ceased, { kind: 'brought', takeOver: false }).ceasedAt).toBeUndefined()
  })
})

describe('a clock that may be wrong', () => {
  const doubtful = { clock: 'doubtful' } as const

  it('takes no promise away, makes nothing urgent, and ends nothing', () => {
    const events: readonly HostEvent[] = [
      { kind: 'looked', checks: [], life: ended },
      { kind: 'not-ready', reason: NXDOMAIN, checks: [], life: ended },
      { kind: 'held', reason: LIMITED, until: at(HOUR), life: ended },
      { kind: 'held', reason: reason('postern/clock-wrong'), until: at(HOUR), life: ended },
      { kind: 'queued', reason: LIMITED, until: at(HOUR), life: ended },
      { kind: 'served', life: ended },
    ]
    for (const event of events) expect(move(active, event, doubtful).httpsSafe).toBe(true)
    const kept = events.filter((event) => move(active, event).httpsSafe)
    expect(kept).toEqual([events[3]])
    const held = { kind: 'held', reason: LIMITED, until: at(HOUR), life: ended } as const
    expect(move(active, held, doubtful)).toMatchObject({ state: 'active', urgency: 'renewal' })
    const unsafe = { ...active, httpsSafe: false }
    expect(move(unsafe, { kind: 'served', life: ended }, doubtful).httpsSafe).toBe(false)
    const left: Host = { ...active, state: 'failing', leftAt: NOW }
    const away = { kind: 'not-ready', reason: NXDOMAIN, checks: [], life: ended } as const
    expect(move(left, away, doubtful).state).toBe('failing')
  })

  it('puts looks off, and changes nothing else', () => {
    const host = move(active, { kind: 'put-off', until: at(HOUR) })
    expect(host).toEqual({ ...active, updatedAt: NOW, nextAttemptAt: at(HOUR) })
  })
})
