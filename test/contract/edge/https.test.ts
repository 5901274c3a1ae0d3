import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { curl, openssl } from '../../support/clients.ts'
import { aTicketKey } from '../../support/ticket-keys.ts'
import {
  ca,
  type EdgeUnderTest,
  host,
  OTHER,
  OURS,
  openEdge,
  PENDING,
  sendRawTls,
  statusOf,
} from './support.ts'

let under: EdgeUnderTest
let folder: string
let caFile: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-edge-'))
  caFile = join(folder, 'root.pem')
  await writeFile(caFile, ca.rootPem)
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(async () => {
  under = await openEdge()
})
afterEach(() => under[Symbol.asyncDispose]())

const get = (hostname: string, path = '/'): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`

describe('a handshake', () => {
  it('serves each host its own certificate to a client that verifies', async () => {
    for (const name of [OURS, OTHER]) {
      const seen = await curl(`https://${name}/x`, { caFile, port: under.httpsPort })
      expect(seen.stderr).toBe('')
      expect(seen.stdout).toContain(`GET ${name}/x`)
    }
  })

  it('refuses a name that is not ours with an alert, without asking anybody', async () => {
    const seen = await openssl(under.httpsPort, 'stranger.test')
    expect(seen.stderr).toMatch(/alert.*handshake failure|handshake failure/i)
    expect(seen.stdout).toContain('no peer certificate available')
    expect(under.asked).toEqual({ certificates: 0, membership: 0, challenges: 0 })
    expect(await under.metric('postern_handshakes_total')).toContain('unknown-sni')
  })

  it('tells a client with other ciphers from a host without a certificate', async () => {
    const other = ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256']
    const seen = await openssl(under.httpsPort, OURS, other)
    expect(seen.stdout).toContain('no peer certificate available')
    const counted = await under.metric('postern_handshakes_total')
    expect(counted).toContain('no-shared-cipher')
    expect(counted).not.toContain('no-certificate')
  })

  it('refuses a client that names no host', async () => {
    const seen = await openssl(under.httpsPort, undefined)
    expect(seen.stdout).toContain('no peer certificate available')
    expect(await under.metric('postern_handshakes_total')).toContain('no-sni')
  })

  it.each(['-tls1', '-tls1_1'])('refuses %s', async (version) => {
    const seen = await openssl(under.httpsPort, OURS, [version, '-cipher', 'ALL:@SECLEVEL=0'])
    expect(seen.stdout).toContain('no peer certificate available')
    expect(await under.metric('postern_handshakes_total')).toContain('legacy-version')
  })

  it('refuses to renegotiate', async () => {
    const socket = await open({ maxVersion: 'TLSv1.2' })
    const failed = new Promise<boolean>((resolve) => {
      socket.on('close', () => resolve(true))
      socket.on('error', () => resolve(true))
      socket.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error !== null))
    })
    expect(await failed).toBe(true)
  })

  it.each([
    [['http/1.1', 'h2'], 'h2'],
    [['h2'], 'h2'],
    [['http/1.1'], 'http/1.1'],
    [undefined, false],
  ] as const)('agrees with %j on %s', async (offered, agreed) => {
    const socket = await open(offered ? { ALPNProtocols: offered.map(String) } : {})
    expect(socket.alpnProtocol).toBe(agreed)
    socket.destroy()
  })

  it('serves a renewed certificate at once, and knows it', async () => {
    const before = under.certificates.get(OURS)?.serial ?? ''
    expect(await under.edge.confirm(host(OURS), before)).toBe(true)
    const renewed = ca.issue(OURS)
    under.certificates.set(OURS, renewed)
    expect(await under.edge.confirm(host(OURS), before)).toBe(false)
    expect(await under.edge.confirm(host(OURS), renewed.serial)).toBe(true)
    expect(await under.edge.confirm(host('stranger.test'), before)).toBe(false)
  })

  it('survives garbage', async () => {
    const socket = connectTcp(under.httpsPort, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(Buffer.alloc(2000, 0x41))
    await once(socket, 'close')
    expect(await under.metric('postern_handshakes_total')).toContain('protocol-error')
    expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(OURS)))).toBe(200)
  })
})

describe('a resumed session', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'works on another process with the same keys, on %s',
    async (version) => {
      await using second = await openEdge()
      under.edge.useTicketKeys([aTicketKey(7)])
      second.edge.useTicketKeys([aTicketKey(7)])
      const session = await sessionOf(version)
      const socket = await open({ session, maxVersion: version }, second.httpsPort)
      expect(socket.isSessionReused()).toBe(true)
      const answer = await ask(socket, get(OURS))
      expect(statusOf(answer)).toBe(200)
      expect(statusOf(await ask(socket, get(OTHER)))).toBe(421)
    },
  )
})

describe('over TLS, Host', () => {
  it('must be the name the handshake was for', async () => {
    expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(OURS)))).toBe(200)
    expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(OURS.toUpperCase())))).toBe(200)
    expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(`${OURS}:443`)))).toBe(200)
    for (const other of [OTHER, PENDING, 'stranger.test']) {
      expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(other)))).toBe(421)
    }
    for (const odd of ['127.0.0.1', `${OURS}.`, `u@${OURS}`, '']) {
      expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(odd)))).toBe(400)
    }
    expect(new Set(under.seen.map((request) => request.hostname))).toEqual(new Set([OURS]))
  })
})

describe('a host of ours without a certificate', () => {
  it('is met with a stand-in that answers challenges and nothing else', async () => {
    under.tokens.set(`${PENDING}/tok`, 'tok.proof')
    const challenge = '/.well-known/acme-challenge/tok'
    const proof = await sendRawTls(under.httpsPort, PENDING, get(PENDING, challenge))
    expect(proof.endsWith('\r\n\r\ntok.proof')).toBe(true)
    expect(statusOf(await sendRawTls(under.httpsPort, PENDING, get(PENDING)))).toBe(421)
    expect(under.seen).toEqual([])
    const shown = await openssl(under.httpsPort, PENDING)
    expect(shown.stdout).toContain('CN = postern stand-in')
  })

  it('serves as soon as it has one, also to whoever was there before', async () => {
    const socket = await open({ servername: PENDING })
    expect(statusOf(await ask(socket, get(PENDING, '/.well-known/acme-challenge/x')))).toBe(404)
    under.certificates.set(PENDING, ca.issue(PENDING))
    expect(statusOf(await ask(socket, get(PENDING)))).toBe(200)
    const seen = await curl(`https://${PENDING}/`, { caFile, port: under.httpsPort })
    expect(seen.stderr).toBe('')
  })
})

function dial(options: ConnectionOptions, port = under.httpsPort): TLSSocket {
  const place = { port, host: '127.0.0.1', servername: OURS, rejectUnauthorized: false }
  const socket = connect({ ...place, ...options })
  socket.on('error', () => undefined)
  return socket
}

async function open(options: ConnectionOptions, port = under.httpsPort): Promise<TLSSocket> {
  const socket = dial(options, port)
  await once(socket, 'secureConnect')
  return socket
}

async function sessionOf(version: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer> {
  const socket = dial({ maxVersion: version })
  const got = once(socket, 'session')
  socket.write(get(OURS))
  const [session] = await got
  socket.destroy()
  return session
}

async function ask(socket: TLSSocket, bytes: string): Promise<string> {
  socket.write(bytes)
  const [chunk] = await once(socket, 'data')
  return chunk.toString('latin1')
}
