import { describe, expect, it } from 'vitest'
import { createCaRules } from '../../support/fault-front/ca-rules.ts'
import type { Question } from '../../support/fault-front/ca-state.ts'
import { createCountedBucket } from '../../support/fault-front/counted-bucket.ts'
import { type FrontLimits, LETS_ENCRYPT_LIMITS } from '../../support/fault-front/front-limits.ts'

const HOUR_MS = 3_600_000
const ACCOUNT = 'https://ca.test/my-account/1'

/** The rules with a CA behind them that does whatever passes. */
function aCa(limits: FrontLimits | undefined = undefined, window: 'inside' | 'outside' = 'inside') {
  let nowMs = Date.parse('2026-11-22T12:00:00Z')
  let made = 0
  const rules = createCaRules(
    () => nowMs,
    async () => window === 'inside',
  )
  rules.enforce(limits)
  const ask = async (question: Partial<Question> & Pick<Question, 'kind'>, said: object) => {
    const whole = { path: '/', account: ACCOUNT, payload: undefined, ...question }
    const fault = await rules.judge(whole)
    const { location, ...body } = said as { readonly location?: string }
    if (!fault) rules.observe(whole, { status: 200, location, body: JSON.stringify(body) })
    return fault
  }
  const order = async (name: string, { replaces = '', account = ACCOUNT } = {}) => {
    made += 1
    const identifiers = [{ type: 'dns', value: name }]
    const url = `https://ca.test/my-order/${made}`
    const finalize = `https://ca.test/finalize-order/${made}`
    const whole = { status: 'pending', identifiers, finalize }
    const payload = replaces === '' ? { identifiers } : { identifiers, replaces }
    const fault = await ask(
      { kind: 'order-new', path: '/order-plz', payload, account },
      { ...whole, location: url },
    )
    const finish = (number = made) =>
      ask({ kind: 'finalize', path: `/finalize-order/${number}` }, { ...whole, status: 'valid' })
    return { fault, finish, url }
  }
  return {
    ...{ rules, order },
    pass: (ms: number) => {
      nowMs += ms
    },
    prove: (name: string, status: 'valid' | 'invalid') => {
      made += 1
      const said = { status, identifier: { value: name } }
      return ask({ kind: 'authorization', path: `/authZ/${made}` }, said)
    },
    request: (kind: Question['kind']) => ask({ kind }, {}),
  }
}

describe('a counted bucket', () => {
  it('gives back one token at a time, from when the first was taken', () => {
    const bucket = createCountedBucket({ capacity: 3, perMs: 300 })
    expect([bucket.take(0), bucket.take(10), bucket.take(20), bucket.take(30)]).toEqual([
      ...[true, true, true, false],
    ])
    expect(bucket.waitMs(30)).toBe(70)
    expect([bucket.left(99), bucket.left(100), bucket.left(199), bucket.left(200)]).toEqual([
      ...[0, 1, 1, 2],
    ])
    expect(bucket.left(1_000)).toBe(3)
  })
})

describe('a front with Let’s Encrypt’s limits', () => {
  it('refuses the 301st order of an account in words and with the time of the next', async () => {
    const { order, rules, pass } = aCa(LETS_ENCRYPT_LIMITS)
    for (let host = 0; host < 300; host += 1) {
      expect((await order(`a.h${host}.test`)).fault).toBeUndefined()
      pass(10)
    }
    const { fault } = await order('a.other.test')
    expect(fault).toMatchObject({ status: 429, type: 'rateLimited', retryAfter: '33' })
    expect(fault).toHaveProperty(
      'detail',
      'too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-22 12:00:36 UTC: see https://letsencrypt.org/docs/rate-limits/',
    )
    expect((await order('a.other.test', { account: 'https://ca.test/2' })).fault).toBeUndefined()
    pass(33_000)
    expect((await order('a.other.test')).fault).toBeUndefined()
    expect(rules.tooMany).toBe(1)
    expect(rules.refusals).toMatchObject([{ limit: 'ordersPerAccount', name: ACCOUNT }])
  })

  it('counts certificates when they are issued: five of a name, fifty of a domain', async () => {
    const { order, pass } = aCa(LETS_ENCRYPT_LIMITS)
    for (let times = 0; times < 5; times += 1) {
      expect((await order('a.one.test')).fault).toBeUndefined()
      const { fault, finish } = await order('a.one.test')
      expect(fault).toBeUndefined()
      await finish()
      pass(1_000)
    }
    expect((await order('a.one.test')).fault).toMatchObject({
      detail: expect.stringMatching(
        /^too many certificates \(5\) already issued for this exact set/,
      ),
      retryAfter: String(33.6 * 3_600 - 5),
    })
    // Renewals of the same name did not count for its domain.
    for (let host = 0; host < 49; host += 1) {
      const { fault, finish } = await order(`h${host}.one.test`)
      expect(fault).toBeUndefined()
      await finish()
    }
    const detail = expect.stringContaining('already issued for "one.test" in the last 168h0m0s')
    expect((await order('other.one.test')).fault).toMatchObject({ status: 429, detail })
    expect((await order('h1.one.test')).fault).toBeUndefined()
  })

  it('counts nothing of what replaces a certificate inside its window', async () => {
    const limits = { ordersPerAccount: { capacity: 2, perMs: HOUR_MS } }
    const inside = aCa({ ...limits, certificatesPerName: { capacity: 1, perMs: HOUR_MS } })
    await (await inside.order('a.one.test')).finish()
    for (const id of ['a.1', 'a.2', 'a.3', 'a.4']) {
      const { fault, finish } = await inside.order('a.one.test', { replaces: id })
      expect(fault).toBeUndefined()
      await finish()
    }
    expect(inside.rules.left('ordersPerAccount', ACCOUNT)).toBe(1)
    const outside = aCa(limits, 'outside')
    for (const name of ['a.one.test', 'a.two.test']) await outside.order(name, { replaces: 'a.1' })
    expect((await outside.order('a.three.test', { replaces: 'a.2' })).fault).toMatchObject({
      status: 429,
    })
  })

  it('replaces a certificate once', async () => {
    const { order, rules } = aCa()
    await (await order('a.one.test', { replaces: 'aki.serial' })).finish()
    const conflict = { kind: 'problem', status: 409, type: 'alreadyReplaced' }
    expect((await order('a.one.test', { replaces: 'aki.serial' })).fault).toMatchObject(conflict)
    rules.markReplaced('aki.other')
    expect((await order('a.one.test', { replaces: 'aki.other' })).fault).toMatchObject(conflict)
  })

  it('stops a name after five failed validations, each counted once', async () => {
    const { order, prove, pass } = aCa(LETS_ENCRYPT_LIMITS)
    for (let times = 0; times < 5; times += 1) {
      expect((await order('a.one.test')).fault).toBeUndefined()
      await prove('a.one.test', 'invalid')
    }
    const detail = expect.stringContaining('too many failed authorizations (5) for "a.one.test"')
    expect((await order('a.one.test')).fault).toMatchObject({ detail, retryAfter: '720' })
    expect((await order('a.two.test')).fault).toBeUndefined()
    pass(720_000)
    expect((await order('a.one.test')).fault).toBeUndefined()
  })

  it('pauses a name without saying until when, unless it succeeds in between', async () => {
    const { order, prove, rules } = aCa({ failuresInARow: { capacity: 3, perMs: HOUR_MS } })
    const all = ['invalid', 'invalid', 'valid', 'invalid', 'invalid'] as const
    for (const status of all) await prove('a.one.test', status)
    expect((await order('a.one.test')).fault).toBeUndefined()
    await prove('a.one.test', 'invalid')
    const { fault } = await order('a.one.test')
    expect(fault).toMatchObject({
      ...{ status: 429, type: 'rateLimited' },
      detail: expect.stringContaining('Please visit: https://portal.ca.test/'),
    })
    expect(fault).not.toHaveProperty('retryAfter')
    rules.unpause('a.one.test')
    expect((await order('a.one.test')).fault).toBeUndefined()
  })

  it('hands out an open order again to who wants the same, and counts the wish', async () => {
    const { order, rules } = aCa(LETS_ENCRYPT_LIMITS)
    rules.reuseOrders('on')
    const first = await order('a.one.test')
    const again = await order('a.one.test')
    expect(again.fault).toMatchObject({ kind: 'answer', status: 201, location: first.url })
    expect(rules.left('ordersPerAccount', ACCOUNT)).toBe(298)
    await first.finish(1)
    expect((await order('a.one.test')).fault).toBeUndefined()
  })

  it('answers too many requests of an address with 503', async () => {
    const { request, pass, rules } = aCa(LETS_ENCRYPT_LIMITS)
    for (let times = 0; times < 10; times += 1) expect(await request('nonce')).toBeUndefined()
    expect(await request('nonce')).toEqual({ kind: 'html', status: 503, retryAfter: '1' })
    expect(await request('order')).toBeUndefined()
    pass(50)
    expect(await request('nonce')).toBeUndefined()
    expect([rules.refusals.length, rules.tooMany]).toEqual([1, 0])
  })
})
