import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { certificateSchema, hostSchema } from '../../src/api/native/contract.ts'
import {
  aCertificate,
  aHost,
  aHostname,
  type Call,
  callApi,
  startTestApi,
  type TestApi,
} from '../support/api-server.ts'
import { TestPartError } from '../support/api-world.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api[Symbol.asyncDispose]())
beforeEach(() => {
  const { hosts, certificates, deeds, logLines } = api.world
  hosts.clear()
  certificates.clear()
  deeds.length = 0
  logLines.length = 0
  hosts.set(aHostname(), aHost())
})

const call = (method: string, path: string, options: Partial<Call> = {}) =>
  callApi(method, `/api/v1${path}`, { at: api, ...options })

const PATH = '/hosts/email.customer.test/certificate'
const PEM = {
  certificate: '-----BEGIN CERTIFICATE-----\n…',
  key: '-----BEGIN PRIVATE KEY-----\ntop-secret',
}

describe("a customer's own certificate", () => {
  it('is brought as PEM, and the answer is the host with it', async () => {
    const { status, json } = await call('PUT', PATH, { body: PEM })
    expect(status).toBe(200)
    expect(hostSchema.parse(json())).toMatchObject({
      certificateFrom: 'customer',
      certificate: { serial: '0A1B2C' },
    })
    expect(api.world.deeds).toEqual(['bring email.customer.test 29 + 38 characters'])
  })

  it('is brought as PKCS#12, with or without a password', async () => {
    const pkcs12 = Buffer.from('a file').toString('base64')
    expect((await call('PUT', PATH, { body: { pkcs12, password: 'pass' } })).status).toBe(200)
    expect((await call('PUT', PATH, { body: { pkcs12 } })).status).toBe(200)
    expect(api.world.deeds).toEqual([
      'bring email.customer.test a file under pass',
      'bring email.customer.test a file under ',
    ])
  })

  it('is forgotten by the API once it was read', async () => {
    const kept: Buffer[] = []
    await using keeper = await startTestApi({
      hosts: { ...NO_PAGES, find: async () => aHost() },
      hostLife: {
        ...NO_DEEDS,
        bringCertificate: async (_, { upload }) => {
          if ('pkcs12' in upload) kept.push(upload.pkcs12)
        },
      },
    })
    const pkcs12 = Buffer.from('top-secret').toString('base64')
    await call('PUT', PATH, { at: keeper, body: { pkcs12 } })
    expect(kept).toEqual([Buffer.alloc(10)])
  })

  it('is followed by ours when it ends, or at once, if asked', async () => {
    const { json } = await call('PUT', PATH, { body: { ...PEM, takeOver: true } })
    expect(json()).toMatchObject({ certificateFrom: 'customer', takeOver: true })
    expect((await call('DELETE', PATH)).json().certificateFrom).toBe('acme')
    expect(api.world.deeds).toEqual([
      'bring email.customer.test 29 + 38 characters, then take over',
      'hand over email.customer.test',
    ])
  })

  it.each<[string, unknown, number, string]>([
    ['neither PEM nor PKCS#12', {}, 400, 'api/bad-request'],
    ['a chain without its key', { certificate: PEM.certificate }, 400, 'api/bad-request'],
    ['both at once', { ...PEM, pkcs12: 'AAAA' }, 400, 'api/bad-request'],
    ['what is not base64', { pkcs12: 'top-secret!' }, 400, 'api/bad-request'],
    ['broken JSON', '{"key":"top-secret', 400, 'api/bad-request'],
    ['a chain of many links', { ...PEM, certificate: 'x'.repeat(70_000) }, 400, 'api/bad-request'],
    ['an upload without end', { ...PEM, key: 'x'.repeat(300_000) }, 413, 'api/too-large'],
  ])('is refused as %s, and what was sent is not repeated', async (_, body, status, code) => {
    const answer = await call('PUT', PATH, { body })
    expect([answer.status, answer.json().error.code]).toEqual([status, code])
    expect(answer.text + api.world.logLines.join('')).not.toMatch(/top-secret|xxx/)
    expect(api.world.deeds).toEqual([])
  })

  it('is refused with what is wrong with it', async () => {
    const fault = new TestPartError('certs/bad-upload', 'The key is for another certificate.', {
      fix: 'Send the key that the certificate was made with.',
    })
    await using picky = await startTestApi({
      hosts: { ...NO_PAGES, find: async () => aHost() },
      hostLife: { ...NO_DEEDS, bringCertificate: () => Promise.reject(fault) },
    })
    const { status, json } = await call('PUT', PATH, { at: picky, body: PEM })
    expect(status).toBe(422)
    expect(json().error).toMatchObject({ code: 'certs/bad-upload', fix: fault.fix })
  })

  it('is for hosts that are there', async () => {
    const none = await call('PUT', '/hosts/no.customer.test/certificate', { body: PEM })
    expect(none.status).toBe(404)
    api.world.hosts.set(aHostname(), aHost({ state: 'retired' }))
    expect((await call('PUT', PATH, { body: PEM })).json().error.code).toBe('hosts/retired')
    expect((await call('DELETE', PATH)).json().error.code).toBe('hosts/retired')
  })

  it('leaves no key in the log', async () => {
    await call('PUT', PATH, { body: PEM })
    const pkcs12 = Buffer.from('top-secret').toString('base64')
    await call('PUT', PATH, { body: { pkcs12, password: 'top-secret' } })
    expect(api.world.logLines.length).toBeGreaterThan(0)
    expect(api.world.logLines.join('')).not.toMatch(/top-secret|dG9wLXNlY3JldA/)
  })
})

describe('export as PKCS#12', () => {
  beforeEach(() => {
    api.world.certificates.set(aHostname(), aCertificate())
  })

  it('is base64 of a file under the password, and the log says so', async () => {
    const path = '/certificates/email.customer.test/export/pkcs12'
    const { status, json } = await call('POST', path, { body: { password: 'top-secret' } })
    expect(status).toBe(200)
    expect(Buffer.from(json().pkcs12, 'base64').toString()).toMatch(/ under top-secret$/)
    expect(json().certificate.host).toBe('email.customer.test')
    const log = api.world.logLines.join('')
    expect(log).toContain('certificate-key-exported')
    expect(log).not.toContain('top-secret')
  })

  it('needs a password', async () => {
    const path = '/certificates/email.customer.test/export/pkcs12'
    for (const body of [{}, { password: '' }]) {
      expect((await call('POST', path, { body })).status).toBe(400)
    }
  })
})

describe('revocation', () => {
  beforeEach(() => {
    api.world.certificates.set(aHostname(), aCertificate())
  })

  it.each(['unspecified', 'keyCompromise', 'superseded', 'cessationOfOperation'])(
    'for the reason %s is done at the CA, and the certificate shows it',
    async (reason) => {
      const { id } = aCertificate()
      const { status, json } = await call('POST', `/certificates/${id}/revoke`, {
        body: { reason },
      })
      expect(status).toBe(200)
      expect(certificateSchema.parse(json()).revokedAt).toBe('2026-11-22T12:00:00.000Z')
      expect(api.world.deeds).toEqual([`revoke ${id} ${reason}`])
    },
  )

  it('for any other reason is refused', async () => {
    const path = `/certificates/${aCertificate().id}/revoke`
    for (const body of [{}, { reason: 'certificateHold' }, { reason: 1 }]) {
      expect((await call('POST', path, { body })).status).toBe(400)
    }
    expect(api.world.deeds).toEqual([])
  })

  it('that the CA refuses says why', async () => {
    const reason = {
      code: 'ca/rejected',
      sentence: 'It is revoked already.',
      fix: 'Nothing.',
    } as const
    await using refusing = await startTestApi({
      certificates: {
        ...NO_CERTIFICATES,
        find: async () => aCertificate(),
      },
      hostLife: { ...NO_DEEDS, revoke: async () => ({ kind: 'refused', reason }) },
    })
    const { status, json } = await call('POST', `/certificates/${aCertificate().id}/revoke`, {
      at: refusing,
      body: { reason: 'superseded' },
    })
    expect(status).toBe(409)
    expect(json().error).toMatchObject({
      code: 'certs/not-revoked',
      message: 'It is revoked already.',
      fix: 'Nothing.',
    })
  })

  it('of what is gone by then is 404', async () => {
    await using late = await startTestApi({
      certificates: { ...NO_CERTIFICATES, find: async () => aCertificate() },
      hostLife: { ...NO_DEEDS, revoke: async () => ({ kind: 'not-found' }) },
    })
    const path = `/certificates/${aCertificate().id}/revoke`
    const { status } = await call('POST', path, { at: late, body: { reason: 'superseded' } })
    expect(status).toBe(404)
  })

  it('of what we do not have is 404', async () => {
    const body = { reason: 'superseded' }
    expect((await call('POST', '/certificates/none/revoke', { body })).status).toBe(404)
  })
})

describe('a certificate', () => {
  it('shows the window that its CA suggests, and why', async () => {
    const window = {
      start: new Date('2027-01-20T00:00:00Z'),
      end: new Date('2027-01-22T00:00:00Z'),
    }
    const explanationUrl = 'https://ca.test/incident'
    const certificate = aCertificate({ window, explanationUrl, keyType: 'rsa' })
    api.world.certificates.set(aHostname(), certificate)
    expect((await call('GET', '/certificates/email.customer.test')).json()).toMatchObject({
      keyType: 'rsa',
      window: { start: '2027-01-20T00:00:00.000Z', end: '2027-01-22T00:00:00.000Z' },
      explanationUrl,
      revokedAt: null,
    })
  })
})

const unexpected = () => Promise.reject(new Error('not in this test'))
const NO_PAGES = { page: unexpected, history: unexpected }
const NO_DEEDS = {
  add: unexpected,
  checkNow: unexpected,
  renewNow: unexpected,
  retire: unexpected,
  bringCertificate: unexpected,
  handOver: unexpected,
  revoke: unexpected,
}
const NO_CERTIFICATES = {
  current: unexpected,
  find: unexpected,
  page: unexpected,
  exportKey: unexpected,
  exportPkcs12: unexpected,
}
