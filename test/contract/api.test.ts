import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { errorSchema, hostSchema } from '../../src/api/native/contract.ts'
import {
  aCertificate,
  aHost,
  aHostname,
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
  const { hosts, certificates, history, deeds, logLines } = api.world
  for (const part of [hosts, certificates, history]) part.clear()
  deeds.length = 0
  logLines.length = 0
})

const call = (method: string, path: string, options: Partial<Call> = {}) =>
  callApi(method, path, { at: api, ...options })

describe('hosts', () => {
  it('are added with 202, and the domain is the name above unless told otherwise', async () => {
    const added = await call('POST', '/api/v1/hosts', { body: { host: 'Email.Customer.TEST.' } })
    expect(added.status).toBe(202)
    expect(hostSchema.parse(added.json())).toMatchObject({
      host: 'email.customer.test',
      domain: 'customer.test',
      state: 'waiting-for-dns',
      certificate: null,
      reason: null,
      httpsSafe: false,
    })
    await call('POST', '/api/v1/hosts', { body: { host: 'e.a.test', domain: 'b.test' } })
    expect(api.world.deeds).toEqual([
      'add email.customer.test customer.test',
      'add e.a.test b.test',
    ])
  })

  it('belong to themselves where nothing but a top level is above', async () => {
    await call('POST', '/api/v1/hosts', { body: { host: 'short.test' } })
    expect(api.world.deeds).toEqual(['add short.test short.test'])
  })

  it('show state, reason, certificate and checks exactly as the contract says', async () => {
    const reason = { code: 'dns/no-cname', sentence: 'No CNAME.', fix: 'Add one.' } as const
    api.world.hosts.set(aHostname(), aHost({ state: 'failing', reason }))
    api.world.certificates.set(aHostname(), aCertificate())
    const { status, json } = await call('GET', '/api/v1/hosts/email.customer.test')
    expect(status).toBe(200)
    expect(json()).toEqual({
      host: 'email.customer.test',
      domain: 'customer.test',
      state: 'failing',
      reason,
      httpsSafe: true,
      certificate: {
        serial: '0A1B2C',
        issuer: 'Test CA 1',
        notBefore: '2026-11-22T11:00:00.000Z',
        notAfter: '2027-02-20T11:00:00.000Z',
        renewAt: '2027-01-21T11:00:00.000Z',
        renewBecause: 'ca-suggested-it',
      },
      checks: [{ name: 'cname', ok: true, seen: 'edge.test' }],
      nextAttemptAt: '2026-12-22T12:00:00.000Z',
      account: 'default',
      certificateFrom: 'acme',
      takeOver: false,
      queuedAt: null,
      leftAt: null,
    })
  })

  it('are listed page by page, by state and by part of the name', async () => {
    for (const name of ['c.x.test', 'a.x.test', 'b.x.test']) {
      api.world.hosts.set(name, aHost({ hostname: aHostname(name) }))
    }
    const first = (await call('GET', '/api/v1/hosts?limit=2&state=active&q=x')).json()
    expect(first.items.map(({ host }: { host: string }) => host)).toEqual(['a.x.test', 'b.x.test'])
    const rest = (await call('GET', `/api/v1/hosts?limit=2&cursor=${first.nextCursor}`)).json()
    expect(rest).toMatchObject({ items: [{ host: 'c.x.test' }], nextCursor: null })
    expect((await call('GET', '/api/v1/hosts?state=paused')).json().items).toEqual([])
  })

  it('are checked, renewed and retired', async () => {
    api.world.hosts.set(aHostname(), aHost())
    const path = '/api/v1/hosts/email.customer.test'
    expect((await call('POST', `${path}/check`)).status).toBe(200)
    expect((await call('POST', `${path}/renew`, { body: {} })).status).toBe(200)
    expect((await call('DELETE', path)).json()).toMatchObject({
      state: 'retired',
      certificate: null,
    })
    expect((await call('DELETE', path)).status).toBe(200)
    expect(api.world.deeds).toEqual([
      'check email.customer.test',
      'renew email.customer.test',
      // Again: what an earlier try left undone is finished.
      'retire email.customer.test',
      'retire email.customer.test',
    ])
    expect((await call('POST', `${path}/renew`)).json().error.code).toBe('hosts/retired')
  })

  it('tell their history page by page, also where steps share an instant', async () => {
    api.world.hosts.set(aHostname(), aHost())
    const at = new Date('2026-11-22T12:00:00Z')
    const later = new Date('2026-11-22T12:00:01Z')
    api.world.history.set(
      aHostname(),
      [at, at, at, later].map((instant, index) => ({
        at: instant,
        step: 'look',
        outcome: 'done',
        code: undefined,
        sentence: `step ${index}`,
      })),
    )
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: string = cursor === '' ? 'limit=2' : `limit=2&cursor=${cursor}`
      const page = (await call('GET', `/api/v1/hosts/email.customer.test/history?${query}`)).json()
      seen.push(...page.items.map(({ sentence }: { sentence: string }) => sentence))
      cursor = page.nextCursor
    }
    expect(seen).toEqual(['step 0', 'step 1', 'step 2', 'step 3'])
  })

  it('cannot be added before the edge has a name', async () => {
    await using nameless = await startTestApi({ edgeName: undefined })
    const { status, json } = await call('POST', '/api/v1/hosts', {
      at: nameless,
      body: { host: 'e.customer.test' },
    })
    expect(status).toBe(409)
    expect(json().error).toMatchObject({ code: 'config/edge-name-missing', fix: /edge\.name/ })
  })
})

describe('certificates', () => {
  beforeEach(() => {
    api.world.certificates.set(aHostname(), aCertificate())
  })

  it('are listed, also those that expire before a day', async () => {
    const all = (await call('GET', '/api/v1/certificates')).json()
    expect(all.items).toMatchObject([{ host: 'email.customer.test', current: true }])
    expect(JSON.stringify(all)).not.toContain('BEGIN')
    const none = await call('GET', '/api/v1/certificates?expiringBefore=2027-01-01')
    expect(none.json().items).toEqual([])
    const instant = encodeURIComponent('2027-03-01T00:00:00+01:00')
    const one = await call('GET', `/api/v1/certificates?expiringBefore=${instant}`)
    expect(one.json().items).toHaveLength(1)
  })

  it.each(['email.customer.test', aCertificate().id])(
    'are shown by host or id: %s',
    async (name) => {
      expect((await call('GET', `/api/v1/certificates/${name}`)).json().serial).toBe('0A1B2C')
    },
  )

  it('are exported as chain and key, and the log says so without showing the key', async () => {
    const { json, headers } = await call('GET', '/api/v1/certificates/email.customer.test/export')
    expect(json().pem).toMatch(
      /^-----BEGIN CERTIFICATE-----[\s\S]*-----BEGIN PRIVATE KEY-----[\s\S]*\n$/,
    )
    expect(headers.get('cache-control')).toBe('no-store')
    const log = api.world.logLines.join('')
    expect(log).toContain('certificate-key-exported')
    expect(log).not.toContain('PRIVATE KEY')
  })

  it('that are not there are 404', async () => {
    const { status, json } = await call('GET', '/api/v1/certificates/none.customer.test')
    expect(status).toBe(404)
    expect(json().error.code).toBe('certs/not-found')
  })
})

describe('what else there is', () => {
  it('signs links with https only when that is safe', async () => {
    const link = { host: 'email.customer.test', kind: 'click', target: 'https://shop.test/?a=1' }
    api.world.hosts.set(aHostname(), aHost({ httpsSafe: false }))
    expect((await call('POST', '/api/v1/links', { body: link })).json().url).toMatch(/^http:/)
    api.world.hosts.set(aHostname(), aHost({ httpsSafe: true }))
    expect((await call('POST', '/api/v1/links', { body: link })).json().url).toMatch(/^https:/)
  })

  it.each(['javascript:alert(1)', 'ftp://shop.test/', '/relative'])(
    'signs no %s',
    async (target) => {
      api.world.hosts.set(aHostname(), aHost())
      const body = { host: 'email.customer.test', kind: 'click', target }
      expect((await call('POST', '/api/v1/links', { body })).status).toBe(400)
    },
  )

  it('shows accounts, keys and hits', async () => {
    expect((await call('GET', '/api/v1/acme')).json().authority.name).toBe('letsencrypt')
    expect((await call('GET', '/api/v1/keys')).json().keys).toHaveLength(1)
    expect((await call('GET', '/api/v1/hits?host=email.customer.test')).json().items).toEqual([])
  })

  it('says that it is alive and ready, and counts, without a key', async () => {
    expect((await call('GET', '/healthz', { authorization: '' })).json()).toEqual({ alive: true })
    expect((await call('GET', '/readyz', { authorization: '' })).status).toBe(200)
    expect((await call('GET', '/metrics', { authorization: '' })).text).toBe('postern_up 1\n')
  })

  it('says why it is not ready', async () => {
    const reasons = [{ code: 'app/stopping', sentence: 'Ending.', fix: 'Go elsewhere.' }]
    await using stopping = await startTestApi({
      health: { live: () => true, readiness: async () => ({ ready: false, reasons }) },
    })
    const { status, json } = await call('GET', '/readyz', { at: stopping, authorization: '' })
    expect([status, json()]).toEqual([503, { ready: false, reasons }])
  })
})

describe('the OpenAPI file', () => {
  it('is made from the same schemas, and every operation in it needs a key', async () => {
    const { json } = await call('GET', '/api/v1/openapi.json', { authorization: '' })
    const file = json()
    expect(file.openapi).toBe('3.1.0')
    expect(Object.keys(file.components.schemas)).toContain('Host')
    const operations = Object.entries<Record<string, { security?: unknown[] }>>(file.paths).flatMap(
      ([path, methods]) =>
        Object.entries(methods).map(([method, { security }]) => ({ path, method, security })),
    )
    const guarded = operations.filter(({ security }) => security?.length !== 0)
    expect(guarded.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(OPERATIONS)
    for (const { path, method } of guarded) {
      const url = path.replace(/\{\w+\}/g, 'email.customer.test')
      for (const authorization of ['', 'Bearer wrong', 'Basic YXBpOndyb25n']) {
        await api.clock.advance(60_001)
        const { status, json } = await call(method.toUpperCase(), url, { authorization })
        expect(status, `${method} ${path}`).toBe(401)
        expect(errorSchema.parse(json()).error.code).toBe('api/unauthorized')
      }
    }
  })
})

/** A change here is a change of what others rely on. */
const OPERATIONS = [
  'delete /api/v1/accounts/{account}/webhook',
  'delete /api/v1/hosts/{host}',
  'delete /api/v1/hosts/{host}/certificate',
  'get /api/v1/accounts',
  'get /api/v1/accounts/{account}/webhook',
  'get /api/v1/acme',
  'get /api/v1/certificates',
  'get /api/v1/certificates/{certificate}',
  'get /api/v1/certificates/{certificate}/export',
  'get /api/v1/events',
  'get /api/v1/hits',
  'get /api/v1/hosts',
  'get /api/v1/hosts/{host}',
  'get /api/v1/hosts/{host}/history',
  'get /api/v1/keys',
  'get /api/v1/webhooks',
  'post /api/v1/accounts/{account}/webhook/test',
  'post /api/v1/certificates/{certificate}/export/pkcs12',
  'post /api/v1/certificates/{certificate}/revoke',
  'post /api/v1/hosts',
  'post /api/v1/hosts/{host}/check',
  'post /api/v1/hosts/{host}/renew',
  'post /api/v1/keys/rotate',
  'post /api/v1/links',
  'put /api/v1/accounts/{account}/webhook',
  'put /api/v1/hosts/{host}/certificate',
]
