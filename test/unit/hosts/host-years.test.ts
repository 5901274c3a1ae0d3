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
  hours,
  parseHostname,
  type Reason,
  type ReasonCode,
} from '../../../src/kernel/index.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

const NOW = new Date('2026-11-22T12:00:00Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR
const at = (ms: number) => new Date(NOW.getTime() + ms)
const random = { ...createSeededRandom(), fraction: () => 0.5 }
const RHYTHM = { lookEvery: days(1), idleAfter: days(180) }

const reason = (code: ReasonCode): Reason => ({ code, sentence: `${code}.`, fix: 'Mend it.' })
const NXDOMAIN = reason('dns/nxdomain')
const SERVFAIL = reason('dns/servfail')
const LIMITED = reason('ca/rate-limited')

const life: CertificateLife = {
  notBefore: at(-30 * DAY),
  notAfter: at(60 * DAY),
  renewAt: at(30 * DAY),
}
const fresh = newHost(parseHostname('email.customer.test') as Hostname, 'customer.test', NOW)
const active: Host = {
  ...fresh,
  ...{ state: 'active', httpsSafe: true, urgency: 'renewal', nextAttemptAt: at(DAY) },
}

const move = (host: Host, event: HostEvent, context: Partial<MoveContext> = {}) =>
  moveHost(host, event, { now: NOW, random, ...RHYTHM, ...context })
const waitMs = (host: Host) => (host.nextAttemptAt?.getTime() ?? Number.NaN) - NOW.getTime()
const notReady = (why: Reason, isAway?: boolean): HostEvent => ({
  ...{ kind: 'not-ready', reason: why, checks: [], life, isAway },
})

describe('a regular look', () => {
  it('is due again in a day, a little more or less, but not after the renewal', () => {
    const looked = (fraction: number) =>
      waitMs(
        move(
          active,
          { kind: 'looked', checks: [], life },
          { random: { ...random, fraction: () => fraction } },
        ),
      )
    expect([looked(0), looked(0.5), looked(1)]).toEqual([0.9 * DAY, DAY, Math.round(1.1 * DAY)])
    const soon = { ...life, renewAt: at(HOUR) }
    expect(waitMs(move(active, { kind: 'looked', checks: [], life: soon }))).toBe(HOUR)
    expect(waitMs(move(active, { kind: 'served', life }))).toBe(DAY)
  })

  it('does not come for the renewal of a certificate that is left alone, or brought by its owner', () => {
    const past = { ...life, renewAt: at(-DAY) }
    expect(waitMs(move(active, { kind: 'looked', checks: [], life: past }))).toBe(DAY)
    const noLooks = { lookEvery: undefined }
    expect(waitMs(move(active, { kind: 'looked', checks: [], life: past }, noLooks))).toBe(DAY)
    const own = { ...active, certificateFrom: 'customer' } as const
    const soon = { ...life, renewAt: at(HOUR) }
    expect(waitMs(move(own, { kind: 'looked', checks: [], life: soon }))).toBe(DAY)
  })

  it('forgets all trouble when everything is well, and promises nothing anew', () => {
    const troubled: Host = {
      ...{ ...active, reason: SERVFAIL, failures: 2, told: 'mismatch' },
      ...{ awayAt: at(-HOUR), renewalAskedAt: at(-HOUR) },
    }
    expect(move(troubled, { kind: 'looked', checks: [], life })).toMatchObject({
      ...{ reason: undefined, failures: 0, told: undefined, awayAt: undefined },
      ...{ renewalAskedAt: undefined, lookedAt: NOW, httpsSafe: true },
    })
    const unsafe = { ...active, httpsSafe: false }
    expect(move(unsafe, { kind: 'looked', checks: [], life }).httpsSafe).toBe(false)
  })

  it('says what visitors get instead, keeps the promise, and looks again soon', () => {
    const wrong = reason('https/wrong-certificate')
    const host = move(active, { kind: 'mismatched', reason: wrong, checks: [], life })
    expect(host).toMatchObject({ state: 'active', httpsSafe: true, reason: wrong, failures: 1 })
    expect(waitMs(host)).toBe(66_000)
    const soon = { ...life, renewAt: at(1000) }
    expect(
      waitMs(move(active, { kind: 'mismatched', reason: wrong, checks: [], life: soon })),
    ).toBe(1000)
  })

  it('takes silence of name servers for bad minutes, twice', () => {
    let host = active
    const states: string[] = []
    for (let look = 0; look < 3; look += 1) {
      host = move(host, notReady(SERVFAIL))
      states.push(host.state)
    }
    expect(states).toEqual(['active', 'active', 'failing'])
    expect(host).toMatchObject({ httpsSafe: true, awayAt: undefined })
  })
})

describe('a customer who leaves', () => {
  /** Looks at the pace that the host asks for, and says after how long it was certain. */
  const leave = (events: readonly HostEvent[]) => {
    let host = active
    let now = NOW
    for (const event of events) {
      host = move(host, event, { now })
      if (hasLeft(host, now)) return { host, ms: now.getTime() - NOW.getTime() }
      now = host.nextAttemptAt ?? now
    }
    return { host, ms: Number.NaN }
  }

  it('is taken to have left after several looks in more than an hour', () => {
    const looks = Array.from({ length: 9 }, () => notReady(NXDOMAIN, true))
    const { host, ms } = leave(looks)
    expect(host).toMatchObject({ state: 'failing', httpsSafe: true, awayAt: NOW, failures: 4 })
    expect(ms).toBeGreaterThan(HOUR)
    expect(ms).toBeLessThan(3 * HOUR)
  })

  it('has not left because name servers are silent, however long', () => {
    const looks = Array.from({ length: 50 }, () => notReady(SERVFAIL, false))
    expect(leave(looks)).toMatchObject({ ms: Number.NaN, host: { awayAt: undefined } })
  })

  it('keeps what was seen through a silence, and forgets it when anything else is wrong', () => {
    const away = move(active, notReady(NXDOMAIN, true))
    expect(move(away, notReady(SERVFAIL), { now: at(DAY) }).awayAt).toEqual(NOW)
    expect(move(away, notReady(reason('dns/leftover-aaaa'), false)).awayAt).toBeUndefined()
    expect(move(away, { kind: 'ready', checks: [] }).awayAt).toBeUndefined()
  })

  it('was never here, if there never was a certificate', () => {
    const event = { ...notReady(NXDOMAIN, true), life: undefined } as HostEvent
    expect(move(fresh, event).awayAt).toBeUndefined()
  })

  it('loses the promise of https, and is looked at once a day from then on', () => {
    const queued: Host = { ...active, queuedAt: NOW, renewalAskedAt: NOW, awayAt: at(-2 * HOUR) }
    const left = move(queued, { kind: 'left', reason: NXDOMAIN, checks: [] })
    expect(left).toMatchObject({
      ...{ state: 'failing', httpsSafe: false, leftAt: NOW, awayAt: at(-2 * HOUR) },
      ...{ queuedAt: undefined, renewalAskedAt: undefined },
    })
    expect(waitMs(left)).toBe(DAY)
    expect(hasLeft(left, at(DAY))).toBe(false)
    const later = move(left, notReady(NXDOMAIN, true))
    expect([later.state, waitMs(later), later.leftAt]).toEqual(['failing', DAY, NOW])
    const ended = move(left, { kind: 'ended' })
    expect(ended).toMatchObject({ state: 'waiting-for-dns', leftAt: NOW, certificateFrom: 'acme' })
    expect(move(active, { kind: 'ended' })).toBe(active)
    const over = { ...life, notAfter: at(-1) }
    expect(move(left, { ...notReady(NXDOMAIN, true), life: over } as HostEvent).state).toBe(
      'waiting-for-dns',
    )
    const gone = move(left, { ...notReady(NXDOMAIN, true), life: undefined } as HostEvent)
    expect([gone.state, waitMs(gone)]).toEqual(['waiting-for-dns', DAY])
    const back = move(ended, { kind: 'ready', checks: [] })
    expect(back).toMatchObject({ state: 'issuing', leftAt: undefined, awayAt: undefined })
  })
})

describe('a host that waits for a CA', () => {
  it('keeps its place and its state in the queue, with the time when its turn may come', () => {
    const event = { kind: 'queued', reason: LIMITED, until: at(HOUR), life } as const
    const queued = move(active, event)
    expect(queued).toMatchObject({
      ...{ state: 'active', reason: LIMITED, queuedAt: NOW, failures: 0 },
      ...{ httpsSafe: true, nextAttemptAt: at(HOUR) },
    })
    expect(move(queued, event, { now: at(60_000) }).queuedAt).toEqual(NOW)
  })

  it('is not moved by looks and wishes, but comes at once when it becomes more urgent', () => {
    const queued: Host = {
      ...{ ...active, reason: LIMITED, queuedAt: NOW, nextAttemptAt: at(HOUR) },
    }
    expect(move(queued, { kind: 'check-asked' })).toMatchObject({ nextAttemptAt: at(HOUR) })
    const moved = { kind: 'renewal-moved', renewAt: NOW, urgency: 'renewal' } as const
    expect(move(queued, moved)).toMatchObject({ queuedAt: NOW, nextAttemptAt: at(HOUR) })
    expect(move(queued, { ...moved, urgency: 'replace-now' })).toMatchObject({
      ...{ queuedAt: undefined, nextAttemptAt: NOW, urgency: 'replace-now' },
    })
    expect(move(queued, { kind: 'renewal-asked' })).toMatchObject({
      ...{ queuedAt: undefined, urgency: 'replace-now', renewalAskedAt: NOW },
    })
    expect(
      move({ ...queued, nextAttemptAt: NOW }, notReady(NXDOMAIN, true)).queuedAt,
    ).toBeUndefined()
  })

  it('is held until the time it was told, with nothing counted as a failure', () => {
    const until = at(6 * HOUR)
    const held = move(active, { kind: 'held', reason: LIMITED, until, life })
    expect(held).toMatchObject({ state: 'active', reason: LIMITED, failures: 0 })
    expect(waitMs(held)).toBe(6 * HOUR + 30_000)
    const paused = { kind: 'held', reason: reason('ca/paused'), until, life } as const
    expect(move(active, paused).state).toBe('paused')
    const unknown = { kind: 'held', reason: LIMITED, until: undefined, life } as const
    expect(waitMs(move(active, unknown))).toBe(66_000)
    const past = { kind: 'held', reason: LIMITED, until: at(-DAY), life } as const
    expect(waitMs(move(active, past))).toBe(10_000)
  })

  it('keeps its promise when it is our clock that is wrong', () => {
    const over = { ...life, notAfter: at(-DAY) }
    const held = (code: ReasonCode) =>
      move(active, { kind: 'held', reason: reason(code), until: at(HOUR), life: over })
    expect(held('postern/clock-wrong')).toMatchObject({ httpsSafe: true, urgency: 'renewal' })
    expect(held('ca/unavailable')).toMatchObject({ httpsSafe: false, urgency: 'expiring' })
  })

  it('is well while the next certificate soaks', () => {
    const failing: Host = { ...active, state: 'failing', failures: 3, reason: LIMITED }
    expect(move(failing, { kind: 'soaking', until: at(HOUR), life })).toMatchObject({
      ...{ state: 'active', failures: 0, reason: undefined, nextAttemptAt: at(HOUR) },
    })
  })
})

describe('a renewal at another time', () => {
  it('brings the host forward, and never puts it off', () => {
    const moved = (renewAt: Date, host = active) =>
      move(host, { kind: 'renewal-moved', renewAt, urgency: 'renewal' })
    expect(moved(at(HOUR)).nextAttemptAt).toEqual(at(HOUR))
    expect(moved(at(-HOUR)).nextAttemptAt).toEqual(NOW)
    expect(moved(at(9 * DAY)).nextAttemptAt).toEqual(at(DAY))
  })

  it('does not overrule a CA, and says nothing to an owner who brings certificates, or has left', () => {
    const event = { kind: 'renewal-moved', renewAt: NOW, urgency: 'replace-now' } as const
    const refused: Host = { ...active, reason: LIMITED }
    expect(move(refused, event)).toMatchObject({
      ...{ nextAttemptAt: at(DAY), urgency: 'replace-now' },
    })
    const own: Host = { ...active, certificateFrom: 'customer' }
    expect(move(own, event)).toMatchObject({ nextAttemptAt: at(DAY), urgency: 'renewal' })
    expect(move({ ...active, leftAt: NOW }, event)).toMatchObject({ nextAttemptAt: at(DAY) })
  })

  it('that somebody asks for is as urgent as one that a CA asks for', () => {
    expect(move(active, { kind: 'renewal-asked' })).toMatchObject({ urgency: 'replace-now' })
    expect(move({ ...active, urgency: 'expiring' }, { kind: 'renewal-asked' })).toMatchObject({
      urgency: 'expiring',
    })
    expect(move(fresh, { kind: 'renewal-asked' })).toMatchObject({ urgency: 'first' })
    const asked: Host = { ...active, renewalAskedAt: NOW }
    expect(move(asked, { kind: 'served', life })).toMatchObject({
      ...{ renewalAskedAt: undefined, urgency: 'renewal' },
    })
  })
})

describe("an owner's certificate", () => {
  it('ends all waiting for a CA', () => {
    const waiting: Host = {
      ...active,
      state: 'failing',
      reason: LIMITED,
      queuedAt: NOW,
      failures: 4,
    }
    expect(move(waiting, { kind: 'brought', takeOver: true })).toMatchObject({
      ...{ certificateFrom: 'customer', takeOver: true, reason: undefined, failures: 0 },
      ...{ queuedAt: undefined, nextAttemptAt: NOW },
    })
  })

  it('is replaced by one of a CA when it is handed over', () => {
    const own: Host = { ...active, certificateFrom: 'customer', takeOver: true }
    expect(move(own, { kind: 'handed-over' })).toMatchObject({
      ...{ certificateFrom: 'acme', takeOver: false, renewalAskedAt: NOW, nextAttemptAt: NOW },
    })
  })
})

it('a name that another account had is free once that is proven', () => {
  const claimed: Host = { ...fresh, claimToken: 'abc', reason: reason('dns/claim-needed') }
  expect(move(claimed, { kind: 'proven' })).toMatchObject({
    ...{ claimToken: undefined, reason: undefined, failures: 0 },
  })
})

it('nothing is left of a retired host', () => {
  const host: Host = {
    ...{ ...active, certificateFrom: 'customer', takeOver: true, queuedAt: NOW, leftAt: NOW },
    ...{ told: 'left', claimToken: 'abc', awayAt: NOW, renewalAskedAt: NOW },
  }
  expect(move(host, { kind: 'retired' })).toMatchObject({
    ...{ certificateFrom: 'acme', takeOver: false, queuedAt: undefined, leftAt: undefined },
    ...{ told: undefined, claimToken: undefined, awayAt: undefined, renewalAskedAt: undefined },
    urgency: 'first',
  })
})

it('how urgent a host is follows from its certificate, whatever happens', () => {
  const ending = { ...life, notAfter: at(hours(40)) }
  const events: readonly HostEvent[] = [
    { kind: 'refused', reason: LIMITED, retryAt: undefined, life: ending },
    { kind: 'queued', reason: LIMITED, until: at(HOUR), life: ending },
    { ...notReady(NXDOMAIN), life: ending } as HostEvent,
    { kind: 'looked', checks: [], life: ending },
    { kind: 'not-served', reason: SERVFAIL, life: ending },
  ]
  for (const event of events) expect(move(active, event).urgency).toBe('expiring')
})
