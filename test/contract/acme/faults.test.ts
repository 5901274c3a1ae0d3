import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTransport } from '../../../src/acme/protocol/transport.ts'
import type { ReasonCode } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import {
  type AcmeWorld,
  aHostname,
  anIssuer,
  startAcmeWorld,
  type TestIssuer,
} from '../../support/acme-world.ts'
import type { Fault, RequestKind } from '../../support/fault-front.ts'
import { pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { openSqliteTestStore } from '../../support/stores.ts'

const never = new AbortController().signal

/** The requests that a certificate takes; the second look at the order is for the certificate. */
const STEPS: readonly RequestKind[] = [
  ...(['order-new', 'authorization', 'challenge', 'order', 'finalize', 'certificate'] as const),
]

describe.skipIf(pebbleIsMissing)(`faults of a CA ${pebbleLabel}`, () => {
  let world: AcmeWorld
  let store: Store
  let issuer: TestIssuer

  beforeAll(async () => {
    world = await startAcmeWorld({ ordersPerPage: 3 })
    store = await openSqliteTestStore()
    const limits = `${world.front.directoryUrl}.failures-in-a-row=1152/1152d`
    issuer = anIssuer(world, store, { options: { limits } })
    // Account, directory and connections are there, as they are for all but the first name.
    expect((await issuer.issue({ hostname: aHostname() }, never)).kind).toBe('issued')
  })
  afterAll(async () => {
    await issuer[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })
  /** Weeks go by: what the CA has told us to wait for is over. */
  const letTimePass = async (): Promise<void> => {
    for (const table of ['acme_authorities', 'acme_ledger', 'acme_names'] as const) {
      await store.db.deleteFrom(table).execute()
    }
  }
  beforeEach(async () => {
    world.front.reset()
    await letTimePass()
  })

  const issue = (hostname = aHostname()) => issuer.issue({ hostname }, never)

  it.each(STEPS)('resends %s with the nonce that came with the refusal', async (on) => {
    world.front.inject({ on, times: 2, fault: { kind: 'bad-nonce' } })
    expect((await issue()).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(on === 'order-new' ? 3 : 1)
    expect(world.front.count('nonce')).toBe(0)
  })

  it.each(STEPS)('goes on where it was when the answer to %s is lost', async (on) => {
    world.front.inject({ on, fault: { kind: 'drop-after' } })
    expect((await issue()).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(1)
  })

  it.each(STEPS)('tries once more when %s never arrived', async (on) => {
    world.front.inject({ on, fault: { kind: 'drop-before' } })
    expect((await issue()).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(on === 'order-new' ? 2 : 1)
  })

  it.each(STEPS)('goes on where it was when the answer to %s is cut short', async (on) => {
    world.front.inject({ on, fault: { kind: 'cut' } })
    expect((await issue()).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(1)
  })

  it.each(STEPS)('waits for a slow answer to %s', async (on) => {
    world.front.inject({ on, fault: { kind: 'delay', ms: 300 } })
    expect((await issue()).kind).toBe('issued')
  })

  const TROUBLE: readonly (readonly [string, Fault])[] = [
    ['503 with a time', { kind: 'html', status: 503, retryAfter: '120' }],
    ['503 without', { kind: 'html', status: 503 }],
    ['an error of its own', { kind: 'problem', status: 500, type: 'serverInternal' }],
  ]
  describe.each(TROUBLE)('answering %s', (_name, fault) => {
    it.each(STEPS)('to %s: the order stays, and is finished the next time', async (on) => {
      const hostname = aHostname()
      // One of its own, that has not seen other trouble.
      await using troubled = anIssuer(world, store)
      await troubled.issue({ hostname: aHostname() }, never)
      world.front.reset()
      world.front.inject({ on, fault })
      const outcome = await troubled.issue({ hostname }, never)
      if (outcome.kind !== 'refused') throw new Error('was issued')
      expect(outcome.reason.code).toBe('ca/unavailable')
      const waitMs = outcome.retryAt && outcome.retryAt.getTime() - Date.now()
      if ('retryAfter' in fault) expect(waitMs).toBeGreaterThan(100_000)
      else expect(waitMs).toBeUndefined()
      await letTimePass()
      expect((await issue(hostname)).kind).toBe('issued')
      expect(world.front.count('order-new')).toBe(on === 'order-new' ? 2 : 1)
    })
  })

  it('tells a rate limit by its time', async () => {
    const fault = { kind: 'problem', status: 429, type: 'rateLimited', retryAfter: '3600' } as const
    world.front.inject({ on: 'order-new', fault })
    const outcome = await issue()
    if (outcome.kind !== 'refused') throw new Error('was issued')
    expect(outcome.reason.code).toBe('ca/rate-limited')
    expect(outcome.retryAt && outcome.retryAt.getTime() - Date.now()).toBeGreaterThan(3_590_000)
    expect(world.front.requests).toEqual(['order-new'])
  })

  it('tells a pause by the missing time at a CA that pauses names, and shows where it is lifted', async () => {
    const detail = 'paused: visit https://unpause.example.test/sfe/v1/unpause?jwt=abc to unpause'
    const fault = { kind: 'problem', status: 429, type: 'rateLimited', detail } as const
    world.front.inject({ on: 'order-new', fault })
    const outcome = await issue()
    expect(outcome).toMatchObject({
      kind: 'refused',
      reason: { code: 'ca/paused', fix: expect.stringContaining('https://unpause.example.test/') },
    })
    expect(outcome).toHaveProperty('retryAt', undefined)
  })

  const PROBLEMS: readonly (readonly [string, number, ReasonCode])[] = [
    ['accountDoesNotExist', 400, 'ca/rejected'],
    ['alreadyReplaced', 409, 'ca/rejected'],
    ['badCSR', 400, 'ca/rejected'],
    ['badPublicKey', 400, 'ca/rejected'],
    ['badSignatureAlgorithm', 400, 'ca/rejected'],
    ['caa', 403, 'caa/forbids'],
    ['conflict', 409, 'ca/rejected'],
    ['connection', 400, 'http/unreachable'],
    ['dns', 400, 'dns/servfail'],
    ['externalAccountRequired', 403, 'ca/rejected'],
    ['invalidContact', 400, 'ca/rejected'],
    ['invalidProfile', 400, 'ca/rejected'],
    ['rejectedIdentifier', 400, 'ca/rejected'],
    ['serverInternal', 500, 'ca/unavailable'],
    ['somethingNew', 400, 'ca/rejected'],
    ['somethingNew', 500, 'ca/unavailable'],
    ['tls', 400, 'http/unreachable'],
    ['unauthorized', 403, 'ca/rejected'],
    ['unsupportedContact', 400, 'ca/rejected'],
    ['unsupportedIdentifier', 400, 'ca/rejected'],
    ['userActionRequired', 403, 'ca/rejected'],
  ]
  it.each(PROBLEMS)('says what %s (%i) means: %s', async (type, status, code) => {
    const hostname = aHostname()
    const detail = `${type}, so it was`
    const fault = { kind: 'problem', status, type, detail } as const
    world.front.inject({ on: 'order-new', times: 2, fault })
    const outcome = await issue(hostname)
    expect(outcome).toMatchObject({
      kind: 'refused',
      reason: {
        code,
        sentence: expect.stringContaining(detail),
        fix: expect.stringMatching(/\.$/),
      },
    })
    world.front.reset()
    await letTimePass()
    expect((await issue(hostname)).kind).toBe('issued')
  })

  it('picks out the problem of this very name', async () => {
    const hostname = aHostname()
    const identifier = { type: 'dns', value: hostname }
    const own = { type: 'urn:ietf:params:acme:error:caa', detail: 'mine', identifier }
    const other = { ...own, detail: 'theirs', identifier: { type: 'dns', value: 'other.test' } }
    const subproblems = [other, own]
    const fault = {
      kind: 'problem',
      status: 403,
      type: 'caa',
      detail: 'both',
      subproblems,
    } as const
    world.front.inject({ on: 'finalize', fault })
    const outcome = await issue(hostname)
    if (outcome.kind !== 'refused') throw new Error('was issued')
    expect(outcome.reason.sentence).toMatch(/: mine$/)
  })

  it('says that the host gave another answer than ours, and orders anew the next time', async () => {
    const hostname = aHostname()
    world.answerFrom({ answer: async () => 'a parking page' })
    const outcome = await issue(hostname)
    world.answerFrom(issuer.book)
    expect(outcome).toMatchObject({ kind: 'refused', reason: { code: 'http/wrong-answer' } })
    expect((await issue(hostname)).kind).toBe('issued')
    expect(world.front.count('order-new')).toBe(2)
  })

  it('says that the CA could not resolve or reach the host', async () => {
    const hostname = aHostname()
    await world.dns.addA(hostname, ['127.0.0.77'])
    const outcome = await issue(hostname)
    expect(outcome).toMatchObject({ kind: 'refused', reason: { code: 'http/unreachable' } })
  })

  describe('sending a certificate that cannot be used', () => {
    const chains: string[] = []
    beforeAll(async () => {
      const outcome = await issue()
      if (outcome.kind !== 'issued') throw new Error(outcome.reason.sentence)
      chains.push(outcome.certificate.chainPem)
    })
    const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'
    const leafOf = (chain: string) => chain.slice(0, chain.indexOf('-----END') + 26)
    const ROGUES: readonly (readonly [string, (original: string) => string])[] = [
      ["another host's", () => chains[0] ?? ''],
      ['nothing', () => ''],
      ['a page in HTML', () => '<html>Welcome</html>'],
      ['ten megabytes', (chain) => chain + ' '.repeat(10 * 1024 * 1024)],
      ['the leaf alone', leafOf],
      [
        'the chain in the wrong order',
        (chain) => chain.slice(leafOf(chain).length) + leafOf(chain),
      ],
      ['a private key besides', (chain) => chain + key],
    ]
    it.each(ROGUES)('%s: is not kept; downloaded again; then ordered anew', async (_name, body) => {
      const hostname = aHostname()
      world.front.inject({ on: 'certificate', times: 2, fault: { kind: 'replace', body } })
      for (const orders of [1, 1]) {
        const outcome = await issue(hostname)
        expect(outcome).toMatchObject({ kind: 'refused', reason: { code: 'ca/unavailable' } })
        expect(world.front.count('order-new')).toBe(orders)
      }
      expect((await issue(hostname)).kind).toBe('issued')
      expect(world.front.count('order-new')).toBe(2)
      const held = store.db.selectFrom('certificates').select('id').where('hostname', '=', hostname)
      expect(await held.execute()).toHaveLength(1)
    })
  })

  it('gives up on an answer that does not come in time', async () => {
    using transport = createTransport({ extraRootsPem: world.front.rootPem, requestMsMax: 100 })
    world.front.inject({ on: 'directory', fault: { kind: 'delay', ms: 2_000 } })
    const asking = transport.send({ method: 'GET', url: world.front.directoryUrl }, never)
    await expect(asking).rejects.toMatchObject({ code: 'acme/unreachable' })
  })

  it('does not trust a CA by itself', async () => {
    using transport = createTransport({ extraRootsPem: undefined })
    const asking = transport.send({ method: 'GET', url: world.front.directoryUrl }, never)
    await expect(asking).rejects.toMatchObject({
      code: 'acme/unreachable',
      message: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
  })
})
