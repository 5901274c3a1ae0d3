import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { findCertificateAuthority } from '../../../src/acme/cas/list.ts'
import { createCsr } from '../../../src/acme/csr.ts'
import { AcmeError, type AcmeProblem, problemToError } from '../../../src/acme/errors.ts'
import { createLimiter } from '../../../src/acme/limiter.ts'
import { acmeOptions } from '../../../src/acme/options.ts'
import { keyAuthorization, publicJwkOf } from '../../../src/acme/protocol/account-key.ts'
import { createNoncePool } from '../../../src/acme/protocol/nonce-pool.ts'
import { linkOf, replyToError, retryAtOf } from '../../../src/acme/protocol/reply.ts'
import type { HttpReply } from '../../../src/acme/protocol/transport.ts'
import { toReason } from '../../../src/acme/reasons.ts'
import { days, type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const now = new Date('2026-11-22T12:00:00Z')
const aReply = (reply: Partial<HttpReply>): HttpReply => ({
  status: 200,
  headers: {},
  data: '',
  ...reply,
})
function aHost(): Hostname {
  const hostname = parseHostname('email.customer.com')
  if (!hostname) throw new Error('not a host name')
  return hostname
}

describe('a certificate request', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

  it('is signed over exactly its first part, and names the host in there alone', () => {
    const csr = createCsr(aHost(), privateKey)
    const [info, algorithm, signature] = valuesIn(csr)
    expect(info && signature).toBeDefined()
    expect(algorithm?.toString('hex')).toContain('2a8648ce3d040302')
    const publicKey = createPublicKey(privateKey)
    // A BIT STRING's contents begin with the count of its unused bits.
    const bits = signature?.subarray(contentsAt(signature) + 1) ?? Buffer.alloc(0)
    expect(verify('sha256', info ?? Buffer.alloc(0), publicKey, bits)).toBe(true)
    expect(csr.indexOf('email.customer.com')).toBe(csr.lastIndexOf('email.customer.com'))
    const [version, subject] = valuesIn(info ?? Buffer.alloc(0))
    expect(version?.toString('hex')).toBe('020100')
    expect(subject?.toString('hex')).toBe('3000')
  })
})

/** The DER values within a constructed one. */
function valuesIn(sequence: Buffer): readonly Buffer[] {
  const values: Buffer[] = []
  for (let at = contentsAt(sequence); at < sequence.length; ) {
    const rest = sequence.subarray(at)
    const start = contentsAt(rest)
    const long = rest.readUInt8(1) & 0x7f
    const length = start === 2 ? rest.readUInt8(1) : rest.readUIntBE(2, long)
    values.push(rest.subarray(0, start + length))
    at += start + length
  }
  return values
}

/** Where the contents of a DER value begin. */
function contentsAt(value: Buffer): number {
  const first = value.readUInt8(1)
  return first < 0x80 ? 2 : 2 + (first & 0x7f)
}

describe('a key authorization', () => {
  it('has the thumbprint of RFC 7638, whatever else the key object tells', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = publicJwkOf(privateKey)
    expect(Object.keys(jwk)).toEqual(['crv', 'kty', 'x', 'y'])
    expect(keyAuthorization('token', jwk)).toMatch(/^token\.[A-Za-z0-9_-]{43}$/)
  })
})

describe('the nonce pool', () => {
  it('hands out the newest, each once, and none that is stale', async () => {
    const clock = createFakeClock()
    const pool = createNoncePool(clock)
    pool.put('a')
    pool.put('b')
    expect([pool.take(), pool.take(), pool.take()]).toEqual(['b', 'a', undefined])
    pool.put('c')
    await clock.advance(6 * 60_000)
    expect(pool.take()).toBeUndefined()
  })

  it('keeps at most 64', () => {
    const pool = createNoncePool(createFakeClock())
    for (let count = 0; count < 100; count += 1) pool.put(String(count))
    const taken = Array.from({ length: 100 }, () => pool.take()).filter((one) => one !== undefined)
    expect(taken).toHaveLength(64)
    expect(taken[0]).toBe('99')
  })
})

describe('Retry-After', () => {
  it.each([
    ['120', 120_000],
    ['Sun, 22 Nov 2026 12:10:00 GMT', 600_000],
    ['Sun, 22 Nov 2020 12:10:00 GMT', 0],
    ['99999999999', days(8)],
  ])('%s is read', (text, ms) => {
    const retryAt = retryAtOf(aReply({ headers: { 'retry-after': text } }), now)
    expect(retryAt && retryAt.getTime() - now.getTime()).toBe(ms)
  })

  it.each(['', 'soon', '-1'])('"%s" is not a time', (text) => {
    const at = retryAtOf(aReply({ headers: { 'retry-after': text } }), now)
    expect(at === undefined || at.getTime() <= now.getTime()).toBe(true)
  })
})

describe('Link', () => {
  it('is found by its relation among others, relative or not', () => {
    const link = '<https://ca.test/dir>;rel="index", </list?cursor=3>; rel="next"'
    const reply = aReply({ headers: { link } })
    expect(linkOf(reply, 'next', 'https://ca.test/list')).toBe('https://ca.test/list?cursor=3')
    expect(linkOf(reply, 'index', 'https://ca.test/')).toBe('https://ca.test/dir')
    expect(linkOf(reply, 'up', 'https://ca.test/')).toBeUndefined()
  })
})

describe('problems', () => {
  const problem = (type: string, status: number): AcmeProblem => ({
    ...{ type, status, detail: 'why', subproblems: [] },
  })

  it('of an unknown type are judged by their status', () => {
    const code = (status: number) => problemToError(problem('new', status), undefined).code
    expect([400, 403, 429, 500].map(code)).toEqual([
      ...['acme/bad-request', 'acme/unauthorized', 'acme/rate-limited', 'acme/unavailable'],
    ])
  })

  it('in a form that is none count by their status', () => {
    const error = replyToError(aReply({ status: 503, data: '<html>' }), now)
    expect(error).toMatchObject({ code: 'acme/unavailable', message: 'HTTP status 503' })
    expect(replyToError(aReply({ status: 200 }), now)).toBeUndefined()
  })

  it('become one line of text, however long and wild', () => {
    const authority = findCertificateAuthority('letsencrypt')
    if (!authority) throw new Error('no such CA')
    const wild = `bad\r\n\u0000\u202e${'x'.repeat(1_000)}`
    const { sentence } = toReason(new AcmeError('acme/challenge-dns', wild), {
      authority,
      hostname: aHost(),
    })
    expect(sentence).toMatch(/^Let's Encrypt could not resolve email\.customer\.com: bad x+…$/)
    expect(sentence.length).toBeLessThan(500)
  })
})

describe('acme options', () => {
  it('have defaults that need nobody', () => {
    expect(acmeOptions.parse({})).toEqual({
      ca: 'letsencrypt',
      agreeTerms: false,
      term: days(60),
      concurrency: 8,
    })
  })

  it('are read from text as from values', () => {
    const read = acmeOptions.parse({ agreeTerms: 'true', concurrency: '16', term: '45d' })
    expect(read).toMatchObject({ agreeTerms: true, concurrency: 16, term: days(45) })
  })

  it.each([
    { ca: 'letsencript' },
    { ca: 'http://ca.test/dir' },
    { ca: 'letsencrypt,nobody' },
    { term: '23h' },
    { term: 'long' },
    { eab: 'no-colon' },
    { email: 'nobody' },
    { concurrency: 0 },
    { unknown: 1 },
  ])('refuse %j', (given) => {
    expect(acmeOptions.safeParse(given).success).toBe(false)
  })

  it('say how short a term may be', () => {
    expect(acmeOptions.parse({ term: '1d' }).term).toBe(days(1))
    expect(acmeOptions.safeParse({ term: '10m' }).error?.issues).toMatchObject([
      { path: ['term'], message: 'not a span of one day (1d) or more, like 60d' },
    ])
  })

  it('name CAs by name or by directory', () => {
    expect(findCertificateAuthority('google')?.caaIdentities).toEqual(['pki.goog'])
    expect(findCertificateAuthority('https://ca.test/dir')).toMatchObject({ title: 'ca.test' })
    const url = 'https://acme-v02.api.letsencrypt.org/directory'
    expect(findCertificateAuthority(url)?.name).toBe('letsencrypt')
  })
})

describe('the limiter', () => {
  it('lets so many in at once, the rest in their order', async () => {
    const limit = createLimiter(2)
    const signal = new AbortController().signal
    const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<number>())
    const began: number[] = []
    const all = gates.map(({ promise }, index) =>
      limit(() => {
        began.push(index)
        return promise
      }, signal),
    )
    await Promise.resolve()
    expect(began).toEqual([0, 1])
    gates[1]?.resolve(1)
    await all[1]
    await new Promise((resolve) => setImmediate(resolve))
    expect(began).toEqual([0, 1, 2])
    for (const [index, gate] of gates.entries()) gate.resolve(index)
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3])
  })

  it('forgets who stopped waiting', async () => {
    const limit = createLimiter(1)
    const gate = Promise.withResolvers<void>()
    const first = limit(() => gate.promise, new AbortController().signal)
    const impatient = new AbortController()
    const second = limit(async () => 'never', impatient.signal)
    impatient.abort(new Error('enough'))
    await expect(second).rejects.toThrow('enough')
    gate.resolve()
    await first
    expect(await limit(async () => 'third', new AbortController().signal)).toBe('third')
  })
})
