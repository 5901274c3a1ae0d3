import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { errorSchema } from '../../src/api/native/contract.ts'
import { AppError } from '../../src/kernel/index.ts'
import { ADMIN_KEY, type Call, callApi, startTestApi, type TestApi } from '../support/api-server.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api[Symbol.asyncDispose]())
beforeEach(() => {
  api.world.deeds.length = 0
  api.world.logLines.length = 0
})

const call = (method: string, path: string, options: Partial<Call> = {}) =>
  callApi(method, path, { at: api, ...options })

describe('keys', () => {
  it.each([
    ['Bearer', `Bearer ${ADMIN_KEY}`],
    ['bearer in any case', `bEARER ${ADMIN_KEY}`],
    ["Mailgun's form", `Basic ${btoa(`api:${ADMIN_KEY}`)}`],
  ])('are read as %s', async (_, authorization) => {
    expect((await call('GET', '/api/v1/hosts', { authorization })).status).toBe(200)
  })

  it.each([
    ['an empty one', 'Bearer '],
    ['another user name', `Basic ${btoa(`admin:${ADMIN_KEY}`)}`],
    ['the beginning of it', `Bearer ${ADMIN_KEY.slice(0, -1)}`],
    ['more than it', `Bearer ${ADMIN_KEY}x`],
    ['another scheme', `Digest ${ADMIN_KEY}`],
  ])('are refused: %s', async (_, authorization) => {
    const { status, headers } = await call('GET', '/api/v1/hosts', { authorization })
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toBe('Bearer realm="postern"')
  })

  it('are not tried for long: then 429, though never for the right one', async () => {
    await using guessed = await startTestApi()
    const statuses: number[] = []
    for (let guess = 0; guess < 40; guess += 1) {
      statuses.push((await call('GET', '/api/v1/hosts', { at: guessed, key: `no${guess}` })).status)
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(30)
    expect(statuses.filter((status) => status === 429)).toHaveLength(10)
    expect((await call('GET', '/api/v1/hosts', { at: guessed })).status).toBe(200)
    const log = guessed.world.logLines.filter((line) => line.includes('throttled'))
    expect(log).toHaveLength(1)
    await guessed.clock.advance(60_001)
    expect((await call('GET', '/api/v1/hosts', { at: guessed, key: 'no' })).status).toBe(401)
  })
})

interface Refusal {
  readonly call?: string
  readonly body?: unknown
  readonly type?: string
  readonly status: number
  readonly code: string
}

describe('refusals', () => {
  it.each<[string, Refusal]>([
    ['no such host', { call: 'GET /hosts/no.customer.test', status: 404, code: 'hosts/not-found' }],
    ['an address', { body: { host: '192.0.2.1' }, status: 422, code: 'hosts/bad-name' }],
    ['a wildcard', { body: { host: '*.a.test' }, status: 422, code: 'hosts/bad-name' }],
    [
      'a bad domain',
      { body: { host: 'a.b.test', domain: '-' }, status: 422, code: 'hosts/bad-name' },
    ],
    ['no name', { body: {}, status: 400, code: 'api/bad-request' }],
    [
      'unknown fields',
      { body: { host: 'a.b.test', role: 'admin' }, status: 400, code: 'api/bad-request' },
    ],
    ['unknown queries', { call: 'GET /hosts?sort=name', status: 400, code: 'api/bad-request' }],
    ['pages without end', { call: 'GET /hosts?limit=9999', status: 400, code: 'api/bad-request' }],
    [
      'a body where none belongs',
      { call: 'POST /hosts/a.b.test/check', body: { x: 1 }, status: 400, code: 'api/bad-request' },
    ],
    ['broken JSON', { body: '{', status: 400, code: 'api/bad-request' }],
    [
      '__proto__',
      { body: '{"host":"a.b.test","__proto__":{}}', status: 400, code: 'api/bad-request' },
    ],
    ['a long body', { body: { host: 'x'.repeat(70_000) }, status: 413, code: 'api/too-large' }],
    [
      'a form',
      { body: 'host=a', type: 'text/plain', status: 415, code: 'api/unsupported-media-type' },
    ],
    ['no such path', { call: 'GET /nothing', status: 404, code: 'api/unknown-route' }],
  ])('%s', async (_, { call: request = 'POST /hosts', body, type, status, code }) => {
    const [method = '', path = ''] = request.split(' ')
    const headers = type === undefined ? {} : { 'content-type': type }
    const answer = await call(method, `/api/v1${path}`, { body, headers })
    expect(errorSchema.parse(answer.json()).error).toMatchObject({
      code,
      requestId: answer.headers.get('x-request-id'),
    })
    expect(answer.status).toBe(status)
    expect(api.world.deeds).toEqual([])
  })

  it('say nothing about bugs but where to look', async () => {
    await using broken = await startTestApi({
      hits: { page: () => Promise.reject(new TypeError('secret innards')) },
    })
    const { status, text, json } = await call('GET', '/api/v1/hits', { at: broken })
    expect(status).toBe(500)
    expect(text).not.toMatch(/innards|\.ts/)
    const line = broken.world.logLines.find((each) => each.includes('api-request-failed'))
    expect(line).toContain('innards')
    expect(line).toContain(json().error.requestId)
  })

  it('pass on what a part in trouble says', async () => {
    class TroubleError extends AppError<'store/unreachable'> {}
    const retryAt = new Date('2026-11-22T13:00:00Z')
    const trouble = new TroubleError('store/unreachable', 'No database.', {
      fix: 'Start it.',
      retryAt,
    })
    await using troubled = await startTestApi({ hits: { page: () => Promise.reject(trouble) } })
    const { status, json } = await call('GET', '/api/v1/hits', { at: troubled })
    expect(status).toBe(503)
    expect(json().error).toMatchObject({
      code: 'store/unreachable',
      message: 'No database.',
      fix: 'Start it.',
      retryAt: '2026-11-22T13:00:00.000Z',
    })
  })
})

describe('the log', () => {
  it('has one line of JSON per request, with neither names nor keys nor bodies', async () => {
    const headers = { 'user-agent': '\u001b[31m\u2028{"level":"fatal"}'.replace(/[^ -~]/g, '%') }
    await call('POST', '/api/v1/hosts', { body: { host: 'planted-name.customer.test' }, headers })
    await call('GET', '/api/v1/hosts/planted-name.customer.test?x=%0a%1b', { headers })
    const lines = api.world.logLines
    expect(lines.filter((line) => JSON.parse(line).event === 'api-request')).toHaveLength(2)
    expect(lines.join('')).not.toMatch(/planted-name|fatal|Bearer|postern_0123/)
    expect(lines[0]).toContain('"route":"/api/v1/hosts"')
  })
})
