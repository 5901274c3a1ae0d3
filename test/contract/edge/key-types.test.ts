import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { curl, openssl } from '../../support/clients.ts'
import { aTicketKey } from '../../support/ticket-keys.ts'
import { ca, type EdgeUnderTest, OTHER, OURS, openEdge, statusOf } from './support.ts'

// One server, a host with a P-256 certificate (OURS) and one with an RSA certificate (OTHER). What
// bare Node does when a default certificate is of the other kind is in the part's README.

let under: EdgeUnderTest
let folder: string
let caFile: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-key-types-'))
  caFile = join(folder, 'root.pem')
  await writeFile(caFile, ca.rootPem)
  under = await openEdge()
  under.edge.useTicketKeys([aTicketKey(7)])
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keyPem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  under.certificates.set(OTHER, { ...ca.issue(OTHER, { privateKey }), keyPem })
})
afterAll(async () => {
  await under[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const RSA_ONLY = ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256']
const ECDSA_ONLY = ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256']
const RSA_SIGNATURES = ['-tls1_3', '-sigalgs', 'rsa_pss_rsae_sha256']
const ECDSA_SIGNATURES = ['-tls1_3', '-sigalgs', 'ecdsa_secp256r1_sha256']

describe('a P-256 host and an RSA host on one server', () => {
  it.each([
    [OURS, '-tls1_2', 'ECDSA'],
    [OURS, '-tls1_3', 'ECDSA'],
    [OTHER, '-tls1_2', 'RSA'],
    [OTHER, '-tls1_3', 'RSA'],
  ])('%s is shown its own certificate with %s, signed by its key', async (name, version, kind) => {
    const seen = await openssl(under.httpsPort, name, [
      ...[version, '-CAfile', caFile, '-verify_hostname', name],
    ])
    expect(seen.stdout).toContain('Verify return code: 0 (ok)')
    expect(seen.stdout).toMatch(new RegExp(`Peer signature type: ${kind}`))
    expect(shownSerial(seen.stdout)).toBe(under.certificates.get(name)?.serial)
  })

  it.each([
    ['AES-128', 'AES128-GCM-SHA256'],
    ['AES-256', 'AES256-GCM-SHA384'],
    ['ChaCha20', 'CHACHA20-POLY1305'],
  ])('both speak %s on TLS 1.2', async (_, suite) => {
    for (const [name, kind] of [
      [OURS, 'ECDSA'],
      [OTHER, 'RSA'],
    ] as const) {
      const cipher = `ECDHE-${kind}-${suite}`
      const seen = await openssl(under.httpsPort, name, ['-tls1_2', '-cipher', cipher])
      expect(seen.stdout).toContain(`Cipher is ${cipher}`)
    }
  })

  it.each([
    ['wants RSA of the P-256 host on TLS 1.2', OURS, RSA_ONLY],
    ['wants RSA of the P-256 host on TLS 1.3', OURS, RSA_SIGNATURES],
    ['wants ECDSA of the RSA host on TLS 1.2', OTHER, ECDSA_ONLY],
    ['wants ECDSA of the RSA host on TLS 1.3', OTHER, ECDSA_SIGNATURES],
    ['wants a stranger, by RSA', 'stranger.test', RSA_ONLY],
    ['wants a stranger, by ECDSA', 'stranger.test', ECDSA_ONLY],
    ['wants a stranger on TLS 1.3', 'stranger.test', ['-tls1_3']],
    ['names nobody, by RSA', undefined, RSA_ONLY],
    ['names nobody on TLS 1.3', undefined, ['-tls1_3']],
  ])('whoever %s gets no certificate at all', async (_, name, extra) => {
    // Both hosts were served a moment ago: nothing of them may be left over.
    for (const host of [OURS, OTHER]) await openssl(under.httpsPort, host)
    const seen = await openssl(under.httpsPort, name, extra)
    expect(seen.stdout).toContain('no peer certificate available')
  })

  it('curl gets an answer from both', async () => {
    for (const version of ['--tlsv1.3', '--tls-max']) {
      const extra = version === '--tls-max' ? [version, '1.2'] : [version]
      for (const name of [OURS, OTHER]) {
        const seen = await curl(`https://${name}/x`, { caFile, port: under.httpsPort, extra })
        expect(statusOf(seen.stdout), seen.stderr).toBe(200)
        expect(seen.stdout).toContain(`GET ${name}/x`)
      }
    }
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a session of one is resumed with it on %s, and not with the other',
    async (version) => {
      for (const [mine, other] of PAIRS) {
        const session = await sessionOf(mine, version)
        for (const [name, expected] of [
          [mine, true],
          [other, false],
        ] as const) {
          const socket = dial(name, { session, maxVersion: version })
          expect(statusOf(await ask(socket, request(name)))).toBe(200)
          expect(socket.isSessionReused()).toBe(expected)
          socket.destroy()
        }
      }
    },
  )

  // RFC 6066 §3 and RFC 8446 §4.6.1 tell clients not to. Nobody but such a client is deceived: no
  // certificate is sent, and the connection is for one host like any other.
  it.each(['-tls1_2', '-tls1_3'])(
    'whoever brings the session of another host all the same (%s) is served one host, or none',
    async (version) => {
      for (const [mine, other] of PAIRS) {
        const session = join(folder, `${mine}${version}.pem`)
        const talk = (name: string, hosts: readonly string[], extra: readonly string[]) =>
          openssl(
            under.httpsPort,
            name,
            [version, '-ign_eof', ...extra],
            hosts.map((host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).join(''),
          )
        await talk(mine, [mine, 'bye.test'], ['-sess_out', session])
        const crossing = await talk(other, [other, mine], ['-sess_in', session])
        expect(crossing.stdout).toContain('Reused, ')
        expect(crossing.stdout.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 421'])
        expect(crossing.stdout).not.toContain(`GET ${mine}/`)
        const stranger = await talk('stranger.test', ['stranger.test'], ['-sess_in', session])
        expect(stranger.stdout.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 421'])
      }
    },
  )
})

const PAIRS = [
  [OURS, OTHER],
  [OTHER, OURS],
] as const

function dial(servername: string, options: ConnectionOptions): TLSSocket {
  const place = { port: under.httpsPort, host: '127.0.0.1', servername, ca: ca.rootPem }
  return connect({ ...place, ...options })
}

async function sessionOf(servername: string, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer> {
  const socket = dial(servername, { maxVersion })
  const tickets: Buffer[] = []
  socket.on('session', (ticket) => tickets.push(ticket))
  await ask(socket, request(servername))
  socket.destroy()
  // It comes before the answer or not at all: an edge without keys gives none.
  const session = tickets.at(-1)
  if (!session) throw new TypeError('There was no ticket')
  return session
}

async function ask(socket: TLSSocket, bytes: string): Promise<string> {
  socket.write(bytes)
  const [chunk] = await once(socket, 'data')
  return chunk.toString('latin1')
}

function request(name: string): string {
  return `GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`
}

function shownSerial(text: string): string {
  const pem = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(text)?.[0] ?? ''
  return new X509Certificate(pem).serialNumber
}
