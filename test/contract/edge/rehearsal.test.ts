import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ServedCertificate } from '../../../src/edge/index.ts'
import { contextCiphers } from '../../../src/net/index.ts'
import type { IssuedCertificate } from '../../support/certificates.ts'
import {
  ca,
  type EdgeUnderTest,
  host,
  OTHER,
  OURS,
  openEdge,
  PENDING,
  sendRaw,
  sendRawTls,
  statusOf,
} from './support.ts'

let under: EdgeUnderTest

beforeEach(async () => {
  under = await openEdge()
})
afterEach(() => under[Symbol.asyncDispose]())

const get = (hostname: string, path = '/'): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`

function served(
  { chainPem, privateKey, serial, notAfter }: IssuedCertificate,
  keyType: 'ec' | 'rsa' = 'ec',
): ServedCertificate {
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' })
  const context = createSecureContext({ key, cert: chainPem, ciphers: contextCiphers(keyType) })
  return { context, serial, notAfter, isRevoked: false }
}

describe('the rehearsal of a certificate', () => {
  it('goes well with what could be served, while visitors meet what is served', async () => {
    const current = under.certificates.get(OURS)?.serial ?? ''
    const rehearsing = under.edge.rehearse(host(OURS), served(ca.issue(OURS)))
    expect(await under.edge.confirm(host(OURS), current)).toBe(true)
    expect(await rehearsing).toEqual({ kind: 'went-well' })
    expect(await under.edge.confirm(host(OURS), current)).toBe(true)
  })

  it('goes well with an RSA key, and for a host that is not served yet', async () => {
    const privateKey: KeyObject = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const certificate = served(ca.issue(PENDING, { privateKey }), 'rsa')
    expect(await under.edge.rehearse(host(PENDING), certificate)).toEqual({ kind: 'went-well' })
  })

  it.each<[string, string, () => ServedCertificate]>([
    [
      'another certificate is shown',
      'Another certificate was shown on TLSv1.3',
      () => ({ ...served(ca.issue(OURS)), serial: 'FF' }),
    ],
    [
      'there is no certificate to show',
      'The handshake failed on TLSv1.3 (ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM)',
      () => ({ ...served(ca.issue(OURS)), context: createSecureContext() }),
    ],
  ])('fails when %s, and says why', async (_, why, certificate) => {
    const outcome = await under.edge.rehearse(host(OURS), certificate())
    expect(outcome).toMatchObject({ kind: 'failed', why: expect.stringContaining(why) })
    expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(OURS)))).toBe(200)
  })

  it('is no handshake with a visitor', async () => {
    await under.edge.rehearse(host(OURS), served(ca.issue(OURS)))
    expect(await under.metric('postern_handshakes_total')).not.toContain('full')
  })
})

describe('visits', () => {
  it('are hosts with requests since last asked, over https and http', async () => {
    await sendRawTls(under.httpsPort, OURS, get(OURS))
    await sendRawTls(under.httpsPort, OURS, get(OURS))
    await sendRaw(under.httpPort, get(OTHER))
    const { hostnames, lacking } = under.edge.takeVisits()
    expect(hostnames.toSorted()).toEqual([OURS, OTHER].toSorted())
    expect(lacking).toEqual([])
    expect(under.edge.takeVisits()).toEqual({ hostnames: [], lacking: [] })
  })

  it('are not those of strangers, nor challenges, nor handshakes of our own', async () => {
    under.tokens.set(`${PENDING}/tok`, 'tok.proof')
    await sendRaw(under.httpPort, get('stranger.test'))
    await sendRaw(under.httpPort, get(PENDING, '/.well-known/acme-challenge/tok'))
    await sendRaw(under.httpPort, get(PENDING, '/.well-known/acme-challenge/other'))
    await under.edge.confirm(host(OURS), 'x')
    await under.edge.confirm(host(PENDING), 'x')
    await under.edge.rehearse(host(OURS), served(ca.issue(OURS)))
    expect(under.edge.takeVisits()).toEqual({ hostnames: [], lacking: [] })
  })

  it('of a host without a certificate are told apart', async () => {
    await sendRawTls(under.httpsPort, PENDING, get(PENDING))
    expect(under.edge.takeVisits()).toEqual({ hostnames: [PENDING], lacking: [PENDING] })
  })
})

describe('a certificate past its time', () => {
  const yesterday = new Date(Date.now() - 86_400_000)

  it('is served all the same when it has expired, is counted, and its host lacks one', async () => {
    under.certificates.set(OURS, ca.issue(OURS, { notAfter: yesterday }))
    expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(OURS)))).toBe(200)
    await under.edge.confirm(host(OURS), 'x')
    expect(await under.metric('postern_handshakes_past_validity_total')).toContain(
      '"value":1,"labels":{"why":"expired"}',
    )
    expect(under.edge.takeVisits()).toEqual({ hostnames: [OURS], lacking: [OURS] })
  })

  it('is served all the same when it was revoked, and is counted', async () => {
    under.revoked.add(OURS)
    expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(OURS)))).toBe(200)
    expect(await under.metric('postern_handshakes_past_validity_total')).toContain('revoked')
    expect(under.edge.takeVisits()).toEqual({ hostnames: [OURS], lacking: [] })
  })
})
