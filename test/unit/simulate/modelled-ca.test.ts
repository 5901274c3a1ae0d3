import { describe, expect, it } from 'vitest'
import { letsencryptLimits } from '../../../bench/simulate/letsencrypt-limits.ts'
import {
  createModelledCa,
  type ModelledCa,
  type ModelledCaOptions,
} from '../../../bench/simulate/modelled-ca.ts'
import { bucketShape } from '../../../bench/simulate/token-buckets.ts'
import { days, hours, minutes } from '../../../src/kernel/index.ts'

const start = Date.UTC(2026, 11, 1)
/** Every ten hosts share a domain. */
const aCa = (different: Partial<ModelledCaOptions> = {}): ModelledCa =>
  createModelledCa({
    ...{ name: 'a CA', hosts: 1_000, domains: 100, domainOf: (host) => Math.floor(host / 10) },
    limits: letsencryptLimits(bucketShape(300, hours(3))),
    ...{ outages: [], lifetimeAt: () => days(90), incident: undefined },
    ...different,
  })

/** Orders and gets a certificate; the answer, if it was another. */
function get(ca: ModelledCa, host: number, atMs: number) {
  const answer = ca.order(host, undefined, atMs)
  if (answer.kind !== 'accepted') return answer
  ca.validate(host, 'right', atMs)
  return ca.issue(host, { exempt: answer.exempt, replacing: undefined }, atMs)
}

describe('the modelled CA', () => {
  it('takes 300 new orders at once, and from then on one in 36 seconds', () => {
    const ca = aCa()
    for (let host = 0; host < 300; host += 1) {
      expect(ca.order(host, undefined, start)).toHaveProperty('kind', 'accepted')
    }
    const refused = { kind: 'rate-limited', limit: 'ordersPerAccount', retryAtMs: start + 36_000 }
    expect(ca.order(300, undefined, start)).toEqual(refused)
    expect(ca.order(300, undefined, start + 35_999)).toHaveProperty('kind', 'rate-limited')
    expect(ca.order(300, undefined, start + 36_000)).toHaveProperty('kind', 'accepted')
  })

  it('gives a domain 50 certificates a week, and a name five', () => {
    const ca = aCa({ domainOf: () => 0 })
    for (let host = 0; host < 50; host += 1) get(ca, host, start)
    expect(get(ca, 50, start)).toHaveProperty('limit', 'certificatesPerDomain')
    expect(get(ca, 50, start + days(7) / 50)).toHaveProperty('notBeforeMs')
    const later = start + days(30)
    for (let time = 0; time < 5; time += 1) expect(get(ca, 0, later)).toHaveProperty('notAfterMs')
    expect(get(ca, 0, later)).toHaveProperty('limit', 'certificatesPerExactSet')
  })

  it('counts a renewal against no limit but those of the name', () => {
    const ca = aCa({ domainOf: () => 0 })
    get(ca, 0, start)
    for (let host = 1; host < 50; host += 1) get(ca, host, start + minutes(1))
    expect(ca.order(50, undefined, start + minutes(2))).toHaveProperty('kind', 'rate-limited')
    const renewal = { kind: 'accepted', exempt: 'account' }
    expect(ca.order(0, undefined, start + minutes(2))).toEqual(renewal)
  })

  it('grants all exemptions only inside its window, once for each certificate', () => {
    const ca = aCa()
    const certificate = { notBeforeMs: start, notAfterMs: start + days(90) }
    get(ca, 0, start)
    const { startMs, endMs } = ca.window(0, certificate, start)
    expect(startMs).toBe(start + days(60 - 0.9))
    expect(endMs).toBe(start + days(60 + 0.9))
    expect(ca.order(0, certificate, startMs - 1)).toHaveProperty('exempt', 'account')
    expect(ca.order(0, certificate, endMs + 1)).toHaveProperty('exempt', 'account')
    expect(ca.order(0, certificate, startMs)).toHaveProperty('exempt', 'all')
    ca.issue(0, { exempt: 'all', replacing: certificate }, startMs)
    expect(ca.order(0, certificate, startMs)).toEqual({ kind: 'already-replaced' })
  })

  it('moves the windows of an incident into the past, and exempts nobody there', () => {
    const incident = { atMs: start + days(10), isHit: (host: number) => host === 0 }
    const ca = aCa({ incident })
    const certificate = { notBeforeMs: start, notAfterMs: start + days(90) }
    get(ca, 0, start)
    const now = start + days(11)
    expect(ca.window(0, certificate, now).endMs).toBe(now - minutes(30))
    expect(ca.order(0, certificate, now)).toHaveProperty('exempt', 'account')
    expect(ca.window(1, certificate, now).startMs).toBeGreaterThan(now)
    const younger = { notBeforeMs: now, notAfterMs: now + days(90) }
    expect(ca.window(0, younger, now).startMs).toBeGreaterThan(now)
  })

  it('stops a name after five failures in an hour, and pauses it after 1,152 in a row', () => {
    const ca = aCa()
    for (let time = 0; time < 5; time += 1) ca.validate(0, 'wrong', start)
    expect(ca.order(0, undefined, start)).toHaveProperty('limit', 'failuresPerName')
    expect(ca.order(0, undefined, start + minutes(12))).toHaveProperty('kind', 'accepted')
    for (let time = 5; time < 1_152; time += 1) ca.validate(0, 'wrong', start)
    expect(ca.order(0, undefined, start + hours(1))).toHaveProperty('limit', 'paused')
    expect(ca.order(0, undefined, start + days(1))).toHaveProperty('kind', 'accepted')
    ca.validate(0, 'right', start + days(1))
    expect(ca.order(0, undefined, start + days(2))).toHaveProperty('kind', 'accepted')
  })

  it('does not answer while it is down', () => {
    const ca = aCa({ outages: [{ fromMs: start, toMs: start + days(3) }] })
    expect(ca.order(0, undefined, start)).toEqual({ kind: 'down' })
    expect(ca.backMs(start + days(1))).toBe(start + days(3))
    expect(ca.order(0, undefined, start + days(3))).toHaveProperty('kind', 'accepted')
  })
})
