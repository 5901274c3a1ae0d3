import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { acmeStatusSchema } from '../../src/api/native/contract.ts'
import { hours } from '../../src/kernel/index.ts'
import {
  aHost,
  aHostname,
  anAccount,
  anAuthority,
  anEvent,
  type Call,
  callApi,
  startTestApi,
  type TestApi,
} from '../support/api-server.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api[Symbol.asyncDispose]())
beforeEach(() => {
  const { hosts, accounts, webhooks, events, deeds, logLines } = api.world
  hosts.clear()
  webhooks.clear()
  accounts.clear()
  accounts.set('default', anAccount())
  events.length = 0
  deeds.length = 0
  logLines.length = 0
})

const call = (method: string, path: string, options: Partial<Call> = {}) =>
  callApi(method, `/api/v1${path}`, { at: api, ...options })

describe('accounts', () => {
  it('come with their first host, which is shown and listed as theirs', async () => {
    const body = { host: 'e.a.test', account: 'acme-corp' }
    expect((await call('POST', '/hosts', { body })).json().account).toBe('acme-corp')
    await call('POST', '/hosts', { body: { host: 'e.b.test' } })
    expect(api.world.deeds).toEqual(['add e.a.test a.test for acme-corp', 'add e.b.test b.test'])
    const ids = (await call('GET', '/accounts')).json().items.map(accountOf)
    expect(ids).toEqual(['default', 'acme-corp'])
    const theirs = (await call('GET', '/hosts?account=acme-corp')).json().items
    expect(theirs).toMatchObject([{ host: 'e.a.test', account: 'acme-corp' }])
  })

  it("do not get another's host without the TXT record that the refusal names", async () => {
    api.world.hosts.set(aHostname(), aHost({ account: 'first' }))
    const body = { host: 'email.customer.test', account: 'second' }
    const { status, json } = await call('POST', '/hosts', { body })
    expect(status).toBe(409)
    expect(json().error).toMatchObject({
      code: 'hosts/other-account',
      fix: /_postern\.email\.customer\.test\. IN TXT "postern-claim=/,
    })
  })

  it.each(['', 'A', '-a', 'a b', 'a/b', 'x'.repeat(65), '../etc'])(
    'cannot be called %j',
    async (account) => {
      const { status } = await call('POST', '/hosts', { body: { host: 'e.a.test', account } })
      expect(status).toBe(400)
      expect(api.world.deeds).toEqual([])
    },
  )
})

describe('a webhook', () => {
  const PATH = '/accounts/default/webhook'
  const body = { url: 'https://receiver.test/postern' }

  it('shows its signing key when it is set, and never again', async () => {
    const set = (await call('PUT', PATH, { body })).json()
    expect(set).toEqual({ account: 'default', ...body, signingKey: 'whsec_c2VjcmV0' })
    const shown = await call('GET', PATH)
    expect(shown.json()).toMatchObject({ account: 'default', ...body, waiting: 0, problem: null })
    expect(shown.text + api.world.logLines.join('')).not.toContain('whsec')
  })

  it('is tried, and says how that went', async () => {
    await call('PUT', PATH, { body })
    expect((await call('POST', `${PATH}/test`)).json()).toMatchObject({
      delivered: true,
      status: 200,
      problem: null,
    })
    await call('PUT', PATH, { body: { url: 'https://broken.test/' } })
    expect((await call('POST', `${PATH}/test`)).json()).toMatchObject({
      delivered: false,
      status: 500,
      problem: 'The receiver answered with status 500.',
    })
  })

  it('is removed, and then there is none', async () => {
    await call('PUT', PATH, { body })
    expect((await call('DELETE', PATH)).json()).toEqual({ account: 'default', removed: true })
    expect((await call('DELETE', PATH)).json()).toEqual({ account: 'default', removed: false })
    for (const [method, path] of [
      ['GET', PATH],
      ['POST', `${PATH}/test`],
    ] as const) {
      const { status, json } = await call(method, path)
      expect([status, json().error.code]).toEqual([404, 'events/no-webhook'])
    }
  })

  it('counts in the sum of all', async () => {
    const { json } = await call('GET', '/webhooks')
    expect(json()).toEqual({ waiting: 4, waitingSince: null, failing: 1 })
  })

  it('needs an account that is there, and an address of the web', async () => {
    const typo = await call('PUT', '/accounts/defualt/webhook', { body })
    expect([typo.status, typo.json().error.code]).toEqual([404, 'accounts/not-found'])
    for (const url of ['ftp://a.test/', 'receiver.test', 'javascript:alert(1)']) {
      expect((await call('PUT', PATH, { body: { url } })).status).toBe(400)
    }
  })
})

describe('events', () => {
  it('are listed by account, host and kind', async () => {
    api.world.events.push(
      anEvent(),
      anEvent({ kind: 'failing', hostname: aHostname('e.a.test') }),
      anEvent({ account: 'other', hostname: undefined }),
    )
    const listed = async (query: string) => (await call('GET', `/events${query}`)).json().items
    expect(await listed('')).toHaveLength(3)
    expect(await listed('?account=other')).toMatchObject([{ account: 'other', host: null }])
    expect(await listed('?host=E.a.test')).toMatchObject([{ kind: 'failing', host: 'e.a.test' }])
    expect(await listed('?kind=issued&account=default')).toEqual([
      {
        id: '019ab2c300000000000000000000beef',
        at: '2026-11-22T12:00:00.000Z',
        account: 'default',
        kind: 'issued',
        host: 'email.customer.test',
        data: { sentence: 'Test CA 1 issued a certificate.' },
      },
    ])
    expect((await call('GET', '/events?kind=exploded')).status).toBe(400)
  })
})

describe('the state of our CAs', () => {
  it('shows budgets, pauses, queue and forecast', async () => {
    const { json } = await call('GET', '/acme')
    expect(acmeStatusSchema.parse(json())).toMatchObject({
      authority: { name: 'letsencrypt' },
      authorities: [
        {
          name: 'letsencrypt',
          health: 'up',
          heldUntil: null,
          profile: 'classic',
          budgets: [
            {
              limit: 'new-orders',
              per: '3h',
              capacity: 300,
              left: 12,
              fullAt: '2026-11-22T14:52:48.000Z',
            },
          ],
        },
      ],
      queue: [
        { urgency: 'first', count: 3, oldest: '2026-11-22T11:00:00.000Z' },
        { urgency: 'renewal', count: 0, oldest: null },
      ],
      forecast: {
        hours: [0, 4, 2, 0],
        total: 6,
        peak: { at: '2026-11-22T13:00:00.000Z', certificates: 4 },
        mean: 1.5,
        carried: true,
        profiles: [
          { name: 'shortlived', renewalsPerDay: 1.8, longestWaitHours: 30, carried: false },
        ],
      },
    })
  })

  it('is of bounded size, however much there is to come', async () => {
    const paused = Array.from({ length: 5000 }, (_, index) => ({
      hostname: `h${index}.x.test`,
      pausedAt: new Date('2026-11-22T12:00:00Z'),
      unpauseUrl: 'https://ca.test/unpause',
    }))
    await using large = await startTestApi({
      acme: {
        describe: async () => ({
          authority: anAuthority(),
          accounts: [],
          openOrders: [],
          authorities: [anAuthority({ pausedNames: paused })],
        }),
        queue: async () => [],
        forecast: async () => ({
          from: new Date('2026-11-22T12:00:00Z'),
          hours: Array.from({ length: 10_000 }, () => 0),
          ...{ longestWait: hours(0), isCarried: true },
          profiles: [],
        }),
      },
    })
    const { json } = await call('GET', '/acme', { at: large })
    const status = acmeStatusSchema.parse(json())
    expect(status.authorities[0]?.pausedNames).toHaveLength(1000)
    expect(status.forecast.hours).toHaveLength(1008)
    expect(status.forecast.peak).toBeNull()
  })
})

function accountOf({ account }: { readonly account: string }): string {
  return account
}
