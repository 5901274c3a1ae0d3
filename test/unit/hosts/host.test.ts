import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CertificateLife,
  type Host,
  type HostEvent,
  httpsEndsAt,
  moveHost,
  newHost,
} from '../../../src/hosts/index.ts'
import { type Hostname, parseHostname, type Reason } from '../../../src/kernel/index.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

const NOW = new Date('2026-11-22T12:00:00Z')
const random = { ...createSeededRandom(), fraction: () => 0 }
const hostname = parseHostname('email.customer.test') as Hostname
const fresh = newHost(hostname, 'customer.test', new Date('2026-11-22T11:00:00Z'))
const NO_CNAME: Reason = { code: 'dns/no-cname', sentence: 'No CNAME.', fix: 'Set it.' }
const REFUSED: Reason = { code: 'ca/rejected', sentence: 'Rejected.', fix: 'Ask.' }
const UNSERVED: Reason = { code: 'edge/not-serving', sentence: 'Not served.', fix: 'Wait.' }
const BROKEN: Reason = { code: 'postern/internal', sentence: 'Broken.', fix: 'See the log.' }
const PAUSED: Reason = { code: 'ca/paused', sentence: 'Paused.', fix: 'Unpause.' }

const life: CertificateLife = {
  notBefore: new Date('2026-10-01T00:00:00Z'),
  notAfter: new Date('2026-12-30T00:00:00Z'),
  renewAt: new Date('2026-11-30T00:00:00Z'),
}
const ended: CertificateLife = { ...life, notAfter: new Date('2026-11-22T12:30:00Z') }
const active: Host = { ...fresh, state: 'active', httpsSafe: true, nextAttemptAt: life.renewAt }

const move = (host: Host, event: HostEvent) => moveHost(host, event, { now: NOW, random })
const notReady = (over: { life?: CertificateLife } = {}): HostEvent => ({
  kind: 'not-ready',
  reason: NO_CNAME,
  checks: [],
  life: over.life,
})
const refused = (
  reason: Reason,
  over: { retryAt?: Date; life?: CertificateLife } = {},
): HostEvent => ({
  kind: 'refused',
  reason,
  retryAt: over.retryAt,
  life: over.life,
})
const waitMs = (host: Host) => (host.nextAttemptAt?.getTime() ?? Number.NaN) - NOW.getTime()

describe('a new host', () => {
  it('waits for DNS and is due at once', () => {
    expect(fresh).toMatchObject({
      state: 'waiting-for-dns',
      httpsSafe: false,
      failures: 0,
      nextAttemptAt: fresh.createdAt,
    })
  })

  it('keeps waiting, with the reason, and is looked at again in two seconds', () => {
    const host = move(fresh, notReady())
    expect(host).toMatchObject({ state: 'waiting-for-dns', reason: NO_CNAME, failures: 1 })
    expect(waitMs(host)).toBe(2000)
    expect(host.updatedAt).toEqual(NOW)
  })

  it('is looked at for about an hour at least once a minute, then like everything else', () => {
    let host = fresh
    let total = 0
    for (let look = 1; look <= 66; look += 1) {
      host = move(host, notReady())
      expect(waitMs(host)).toBeLessThanOrEqual(60_000)
      total += waitMs(host)
    }
    expect(total).toBeGreaterThan(55 * 60_000)
    expect(total).toBeLessThan(65 * 60_000)
    expect(waitMs(move(host, notReady()))).toBe(60_000)
    expect(waitMs(move({ ...host, failures: 67 }, notReady()))).toBe(600_000)
    expect(waitMs(move({ ...host, failures: 99 }, notReady()))).toBe(86_400_000)
  })

  it('goes on to issuing when it is ready, with the failures of its looks forgotten', () => {
    const waiting = move(fresh, notReady())
    const host = move(waiting, { kind: 'ready', checks: [{ name: 'cname', ok: true, seen: 'x' }] })
    expect(host).toMatchObject({ state: 'issuing', reason: undefined, failures: 0 })
    expect(host.checks).toHaveLength(1)
  })

  it('goes back to waiting when its DNS breaks before there was a certificate', () => {
    const issuing = move(fresh, { kind: 'ready', checks: [] })
    expect(move(issuing, notReady()).state).toBe('waiting-for-dns')
  })
})

describe('a host whose CA refuses', () => {
  it('fails, and comes back after 1, 10 and 100 minutes, then daily', () => {
    let host = move(fresh, { kind: 'ready', checks: [] })
    for (const minutes of [1, 10, 100, 1440, 1440]) {
      host = move(host, refused(REFUSED))
      expect(host).toMatchObject({ state: 'failing', reason: REFUSED })
      expect(waitMs(host)).toBe(minutes * 60_000)
      host = move(host, { kind: 'ready', checks: [] })
      expect(host.state).toBe('failing')
    }
  })

  it('waits as long as the CA says, if that is longer', () => {
    const retryAt = new Date('2026-11-22T15:00:00Z')
    expect(move(fresh, refused(REFUSED, { retryAt })).nextAttemptAt).toEqual(retryAt)
    const soon = new Date('2026-11-22T12:00:10Z')
    expect(waitMs(move(fresh, refused(REFUSED, { retryAt: soon })))).toBe(60_000)
  })

  it('is paused when the CA paused it, and looked at daily', () => {
    const host = move(fresh, refused(PAUSED))
    expect(host.state).toBe('paused')
    expect(waitMs(host)).toBe(86_400_000)
  })

  it('counts looks that find its DNS broken as failures, so that the CA is not asked sooner', () => {
    const failing = move({ ...fresh, state: 'failing', failures: 2 }, notReady())
    expect(failing).toMatchObject({ state: 'failing', failures: 3, reason: NO_CNAME })
    expect(waitMs(failing)).toBe(6_000_000)
  })
})

describe('an active host', () => {
  it('is active, safe for https and due when its certificate is', () => {
    const host = move({ ...fresh, state: 'issuing', failures: 3 }, { kind: 'served', life })
    expect(host).toMatchObject({
      ...{ state: 'active', reason: undefined, httpsSafe: true, failures: 0 },
      nextAttemptAt: life.renewAt,
    })
  })

  it('does not promise https for a certificate that is about to end', () => {
    expect(move(fresh, { kind: 'served', life: ended }).httpsSafe).toBe(false)
  })

  it('stays safe while a renewal fails and its certificate lasts', () => {
    expect(move(active, refused(REFUSED, { life }))).toMatchObject({
      state: 'failing',
      httpsSafe: true,
    })
    expect(move(active, notReady({ life }))).toMatchObject({ state: 'failing', httpsSafe: true })
  })

  it('is not safe any more when its certificate is about to end, or gone', () => {
    expect(move(active, refused(REFUSED, { life: ended })).httpsSafe).toBe(false)
    expect(move(active, notReady({ life: ended })).httpsSafe).toBe(false)
    expect(move(active, notReady()).httpsSafe).toBe(false)
    expect(move(active, { kind: 'not-served', reason: UNSERVED, life: ended }).httpsSafe).toBe(
      false,
    )
  })

  it('keeps what it promises when something of ours breaks, and backs off', () => {
    const host = move(active, { kind: 'failed', reason: BROKEN })
    expect(host).toMatchObject({ state: 'active', httpsSafe: true, failures: 1, reason: BROKEN })
    expect(waitMs(host)).toBe(60_000)
  })

  it('is asked again within seconds when the edge does not serve it yet', () => {
    const host = move(active, { kind: 'not-served', reason: UNSERVED, life })
    expect(host).toMatchObject({ state: 'active', httpsSafe: true, failures: 1 })
    expect(waitMs(host)).toBe(2000)
  })

  it('says why it is not served, and is asked again every minute for as long as that lasts', () => {
    let host: Host = { ...fresh, state: 'issuing' }
    for (let time = 0; time < 100; time += 1) {
      host = moveHost(
        host,
        { kind: 'not-served', reason: UNSERVED, life },
        { now: NOW, random: { ...random, fraction: () => 0.99 } },
      )
      expect(waitMs(host)).toBeLessThanOrEqual(60_000)
    }
    expect(host).toMatchObject({ state: 'issuing', reason: UNSERVED })
    expect(move(host, { kind: 'served', life }).reason).toBeUndefined()
  })

  it('keeps the time of the CA when something of ours breaks during a look', () => {
    const retryAt = new Date(NOW.getTime() + 7_200_000)
    const waiting = { ...active, state: 'failing', reason: PAUSED, nextAttemptAt: retryAt } as const
    expect(move(waiting, { kind: 'failed', reason: BROKEN })).toMatchObject({
      ...{ reason: PAUSED, nextAttemptAt: retryAt },
    })
  })

  it('stops promising https when told to', () => {
    expect(move(active, { kind: 'https-ending' })).toMatchObject({
      ...{ state: 'active', httpsSafe: false },
      nextAttemptAt: active.nextAttemptAt,
    })
  })
})

describe('what people ask for', () => {
  it('makes a waiting host young again', () => {
    const host = move({ ...fresh, failures: 80 }, { kind: 'check-asked' })
    expect(host).toMatchObject({ failures: 0, nextAttemptAt: NOW })
  })

  it('tries a failing host at once, but remembers that the CA refused', () => {
    const failing: Host = { ...fresh, state: 'failing', failures: 7 }
    expect(move(failing, { kind: 'check-asked' })).toMatchObject({
      failures: 1,
      nextAttemptAt: NOW,
    })
  })

  it('looks at a host that the CA refused, but does not hurry the CA', () => {
    const retryAt = new Date(NOW.getTime() + 7_200_000)
    for (const code of ['ca/rate-limited', 'ca/paused', 'ca/rejected', 'ca/unavailable'] as const) {
      const reason = { ...REFUSED, code }
      const waiting: Host = {
        ...{ ...fresh, state: 'failing', failures: 3, reason, nextAttemptAt: retryAt },
      }
      for (const kind of ['check-asked', 'renewal-asked'] as const) {
        expect(move(waiting, { kind })).toMatchObject({ failures: 3, nextAttemptAt: retryAt })
      }
      const checks = [{ name: 'cname', ok: false, seen: 'nothing' }]
      expect(move(waiting, { ...notReady(), checks } as HostEvent)).toMatchObject({
        ...{ state: 'failing', reason, failures: 3, nextAttemptAt: retryAt, checks },
      })
      const past = { ...waiting, nextAttemptAt: NOW }
      expect(move(past, notReady())).toMatchObject({ reason: { code: 'dns/no-cname' } })
    }
  })

  it('makes a host due for renewal', () => {
    expect(move(active, { kind: 'renewal-asked' })).toMatchObject({
      ...{ state: 'active', httpsSafe: true, nextAttemptAt: NOW },
    })
  })

  it('ends a host', () => {
    const retired = move({ ...active, reason: REFUSED, failures: 2 }, { kind: 'retired' })
    expect(retired).toMatchObject({
      ...{ state: 'retired', httpsSafe: false, nextAttemptAt: undefined, failures: 0 },
      ...{ reason: undefined, checks: [] },
    })
  })

  it('is nothing else', () => {
    expect(() => move(active, { kind: 'melted' } as unknown as HostEvent)).toThrow(TypeError)
  })
})

describe('the end of https', () => {
  it('is an hour before the end of a certificate', () => {
    expect(httpsEndsAt(life)).toEqual(new Date('2026-12-29T23:00:00Z'))
  })

  it('leaves a certificate of ten minutes nine and a half', () => {
    const brief = { ...life, notBefore: NOW, notAfter: new Date('2026-11-22T12:10:00Z') }
    expect(httpsEndsAt(brief)).toEqual(new Date('2026-11-22T12:09:30Z'))
  })
})

describe('whatever happens', () => {
  const events: fc.Arbitrary<HostEvent> = fc.constantFrom<HostEvent>(
    { kind: 'check-asked' },
    { kind: 'renewal-asked' },
    { kind: 'ready', checks: [] },
    notReady(),
    notReady({ life }),
    refused(REFUSED, { life }),
    refused(PAUSED),
    { kind: 'not-served', reason: UNSERVED, life },
    { kind: 'served', life },
    { kind: 'failed', reason: BROKEN },
    { kind: 'https-ending' },
  )

  it('a host that lives is always due some time, within a day or when its certificate is', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 100 }), (story) => {
        const host = story.reduce(move, fresh)
        expect(waitMs(host)).toBeLessThanOrEqual(
          Math.max(86_400_000, life.renewAt.getTime() - NOW.getTime()),
        )
      }),
    )
  })

  it('https is promised only after a certificate was served', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 100 }), (story) => {
        const host = story.reduce(move, fresh)
        if (host.httpsSafe) expect(story.some(({ kind }) => kind === 'served')).toBe(true)
      }),
    )
  })
})
