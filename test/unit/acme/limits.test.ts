import { describe, expect, it } from 'vitest'
import { letsencrypt } from '../../../src/acme/cas/letsencrypt.ts'
import { letsencryptStaging } from '../../../src/acme/cas/letsencrypt-staging.ts'
import { CERTIFICATE_AUTHORITIES, findCertificateAuthority } from '../../../src/acme/cas/list.ts'
import { limitOverrides, withLimits } from '../../../src/acme/limit-overrides.ts'
import { requestRate } from '../../../src/acme/limits.ts'
import { days, hours, minutes } from '../../../src/kernel/index.ts'

/** What a bucket comes to in its CA's words: so many, and one more after so long. */
function inWords(ca: typeof letsencrypt) {
  return Object.fromEntries(
    Object.entries(ca.limits.orders).map(([limit, { capacity, per }]) => [
      limit,
      [capacity, per / capacity],
    ]),
  )
}

describe('the limits of CAs', () => {
  it('are those that Let’s Encrypt publishes', () => {
    expect(inWords(letsencrypt)).toEqual({
      'orders-per-account': [300, hours(3) / 300],
      'certificates-per-domain': [50, minutes(201.6)],
      'certificates-per-name': [5, hours(33.6)],
      'failures-per-name': [5, minutes(12)],
      'failures-in-a-row': [1_152, days(1)],
      'own-pace': [600, hours(1) / 600],
    })
    expect(letsencrypt.limits.requests['new-nonce']).toEqual({ capacity: 10, per: 500 })
    expect(letsencryptStaging.limits.orders['orders-per-account']?.capacity).toBe(1_500)
  })

  it('are cautious where a CA publishes none, and none for a directory of one’s own', () => {
    for (const { limits } of CERTIFICATE_AUTHORITIES) {
      expect(Object.keys(limits.orders)).toContain('orders-per-account')
      expect(Object.keys(limits.requests)).toHaveLength(7)
    }
    const own = findCertificateAuthority('https://ca.example.test/dir')
    expect(own?.limits.orders).toEqual({})
  })

  it('say a rate as a bucket', () => {
    expect(requestRate(250, 125)).toEqual({ capacity: 125, per: 500 })
  })
})

describe('acme.limits', () => {
  const limitsOf = (given: unknown, ca = 'letsencrypt') => {
    const found = findCertificateAuthority(ca)
    if (!found) throw new Error('no such CA')
    return withLimits(found, limitOverrides.parse(given)).limits
  }

  it('replaces limits of a CA, and lets the others be', () => {
    const { orders, requests } = limitsOf(
      'letsencrypt.orders-per-account=3000/3h, letsencrypt.own-pace=none,letsencrypt.new-order-requests=50/500ms',
    )
    expect(orders['orders-per-account']).toEqual({ capacity: 3_000, per: hours(3) })
    expect(orders).not.toHaveProperty('own-pace')
    expect(orders['certificates-per-name']).toBe(letsencrypt.limits.orders['certificates-per-name'])
    expect(requests['new-order']).toEqual({ capacity: 50, per: 500 })
    expect(withLimits(letsencryptStaging, limitOverrides.parse('letsencrypt.own-pace=none'))).toBe(
      letsencryptStaging,
    )
    expect(withLimits(letsencrypt, undefined)).toBe(letsencrypt)
  })

  it('may be a map, and give limits to a directory of one’s own', () => {
    const url = 'https://ca.example.test/acme/dir'
    const map = { letsencrypt: { 'own-pace': '2000/1h' }, [`${url}.orders-per-account`]: '10/10s' }
    expect(limitsOf(map).orders['own-pace']).toEqual({ capacity: 2_000, per: hours(1) })
    expect(limitsOf(map, url).orders).toEqual({
      'orders-per-account': { capacity: 10, per: 10_000 },
    })
    expect(limitsOf(`${url}.failures-per-name=5/1h`, url).orders).toHaveProperty(
      'failures-per-name',
    )
    expect(limitsOf('', url).orders).toEqual({})
  })

  it.each([
    ['letsencript.own-pace=1/1h', '"letsencript" is not a CA, letsencrypt is'],
    ['letsencrypt.order-per-acount=1/1h', 'is not a limit, orders-per-account is'],
    ['letsencrypt.xyz=1/1h', 'is not a limit: there are orders-per-account, '],
    ['own-pace=1/1h', '"own-pace" is not a CA: there are letsencrypt, '],
    ['letsencrypt.own-pace', '"" is not of the form 3000/3h'],
    ['letsencrypt.own-pace=fast', '"fast" is not of the form 3000/3h'],
    ['letsencrypt.own-pace=0/1h', '"0/1h" is not of the form'],
    ['letsencrypt.own-pace=5/0s', '"5/0s" is not of the form'],
  ])('refuses %s: %s', (text, complaint) => {
    const parsed = limitOverrides.safeParse(text)
    expect(parsed.error?.issues[0]?.message).toContain(complaint)
  })
})
