import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { milliseconds, seconds } from '../../../src/kernel/index.ts'
import { createGuardedFetch, createResolver, type GuardedFetch } from '../../../src/net/index.ts'
import { netOptions } from '../../../src/net/options.ts'
import { createTestCa, type IssuedCertificate } from '../../support/certificates.ts'
import {
  type ScriptedAnswer,
  type ScriptedDns,
  startScriptedDns,
} from '../../support/scripted-dns.ts'

const signal = new AbortController().signal
const cleaning = new AsyncDisposableStack()
afterAll(() => cleaning.disposeAsync())

const ca = createTestCa()
const name = 'hooks.customer.test'
const addressesByName = new Map<string, readonly string[] | (() => readonly string[])>()
const asked: string[] = []
let dns: ScriptedDns
let roots: string

beforeAll(async () => {
  dns = cleaning.use(await startScriptedDns(answer))
  const folder = await mkdtemp(join(tmpdir(), 'postern-roots-'))
  cleaning.defer(() => rm(folder, { recursive: true }))
  roots = join(folder, 'roots.pem')
  await writeFile(roots, ca.rootPem)
})

function answer(asking: string, type: string): ScriptedAnswer {
  asked.push(`${type} ${asking}`)
  if (asking === 'broken.test') return { rcode: 'servfail' }
  const found = addressesByName.get(asking)
  if (!found) return { rcode: 'nxdomain' }
  if (type !== 'A') return { rcode: 'noerror' }
  const addresses = typeof found === 'function' ? found() : found
  return {
    records: addresses.map((address) => ({
      type: 'A',
      data: Buffer.from(address.split('.').map(Number)),
    })),
  }
}

const guard = (options: object = {}): GuardedFetch =>
  createGuardedFetch(
    { resolver: createResolver({ dns: [dns.address] }) },
    netOptions.parse({ allowPrivate: '127.0.0.0/8', allowHttp: true, roots, ...options }),
  )
const post = (url: string, { fetch = guard(), deadline = seconds(5), body = '{}' } = {}) =>
  fetch.fetch({ url, method: 'POST', headers: { 'x-id': '1' }, body, deadline }, signal)

interface Seen {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly host: string | undefined
  readonly sni: string | false | null | undefined
  readonly to: string | undefined
  readonly body: string
}

const listen = async (server: Server, address = '127.0.0.1', wished = 0): Promise<number> => {
  server.listen(wished, address)
  await once(server, 'listening')
  cleaning.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
const noting = (seen: Seen[], listener: RequestListener): RequestListener => {
  const note = async (request: IncomingMessage): Promise<void> => {
    const { method, url, headers, socket } = request
    const { servername } = socket as TLSSocket
    const body = await text(request)
    seen.push({ method, url, host: headers.host, sni: servername, to: socket.localAddress, body })
  }
  return (request, response) => {
    note(request).then(
      () => listener(request, response),
      () => undefined,
    )
  }
}
const serveHttps = (certificate: IssuedCertificate, listener: RequestListener): Promise<number> => {
  const { keyPem: key, chainPem: cert } = certificate
  return listen(createHttpsServer({ key, cert }, listener) as Server)
}
const ok: RequestListener = (_, response) => void response.end('taken')

describe('a guarded fetch', () => {
  it('posts over https by name, verifies the certificate, and brings back the answer', async () => {
    addressesByName.set(name, ['127.0.0.1'])
    const seen: Seen[] = []
    const port = await serveHttps(ca.issue(name), noting(seen, ok))
    const answered = await post(`https://${name}:${port}/a?b=c`, { body: '{"ü":1}' })
    expect(answered).toEqual({ kind: 'answered', status: 200, body: 'taken' })
    expect(seen).toEqual([
      {
        ...{ method: 'POST', url: '/a?b=c', host: `${name}:${port}`, sni: name },
        ...{ to: '127.0.0.1', body: '{"ü":1}' },
      },
    ])
  })

  it.each([
    ['another name', () => ca.issue('other.test')],
    ['one that is over', () => ca.issue(name, { notAfter: new Date('2021-01-01') })],
    ['an authority that nobody knows', () => createTestCa().issue(name)],
  ])('does not talk to a certificate of %s, whatever the environment says', async (_, issue) => {
    addressesByName.set(name, ['127.0.0.1'])
    const seen: Seen[] = []
    const port = await serveHttps(issue(), noting(seen, ok))
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      const answered = await post(`https://${name}:${port}/`)
      expect(answered).toMatchObject({ kind: 'unreachable', why: 'certificate' })
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    }
    expect(seen).toEqual([])
  })

  it('makes no connection to a name that leads inside', async () => {
    const connections: Socket[] = []
    const port = await serveBytes((socket) => connections.push(socket))
    for (const inside of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0']) {
      addressesByName.set(name, [inside])
      const answered = await post(`https://${name}:${port}/`, {
        fetch: guard({ allowPrivate: '' }),
      })
      expect(answered).toMatchObject({ kind: 'refused', why: 'private-address' })
      expect(JSON.stringify(answered)).not.toContain(inside)
    }
    expect(connections).toEqual([])
  })

  it('connects to the address that was judged, whatever DNS says a moment later', async () => {
    const seen: Seen[] = []
    const port = await listen(createServer(noting(seen, ok)), '127.0.0.2')
    await listen(createServer(noting(seen, ok)), '127.0.0.1', port)
    let questions = 0
    addressesByName.set(name, () => {
      questions += 1
      return questions === 1 ? ['127.0.0.2'] : ['127.0.0.1']
    })
    const fetch = guard({ allowPrivate: '127.0.0.2/32' })
    expect(await post(`http://${name}:${port}/`, { fetch })).toMatchObject({ status: 200 })
    expect(seen.map(({ to }) => to)).toEqual(['127.0.0.2'])
    expect(questions).toBe(1)
    // And what was judged once is judged again.
    expect(await post(`http://${name}:${port}/`, { fetch })).toMatchObject({ kind: 'refused' })
    expect(seen).toHaveLength(1)
  })

  it('takes of several addresses only those that are allowed, and the one that answers', async () => {
    const seen: Seen[] = []
    const port = await listen(createServer(noting(seen, ok)), '127.0.0.2')
    await listen(createServer(noting(seen, ok)), '127.0.0.1', port)
    addressesByName.set(name, ['127.0.0.1', '127.0.0.3', '127.0.0.2'])
    const fetch = guard({ allowPrivate: '127.0.0.2/31' })
    expect(await post(`http://${name}:${port}/`, { fetch })).toMatchObject({ status: 200 })
    expect(seen.map(({ to }) => to)).toEqual(['127.0.0.2'])
  })

  it('goes to an address in the URL only where that is allowed', async () => {
    const port = await listen(createServer(ok))
    expect(await post(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 200 })
    const fetch = guard({ allowPrivate: '10.0.0.0/8' })
    expect(await post(`http://127.0.0.1:${port}/`, { fetch })).toMatchObject({ kind: 'refused' })
  })

  it('does not follow a redirect', async () => {
    addressesByName.set(name, ['127.0.0.1'])
    const seen: Seen[] = []
    const inside = await listen(createServer(noting(seen, ok)))
    const port = await listen(
      createServer((_, response) => {
        response.writeHead(302, { location: `http://127.0.0.1:${inside}/` }).end()
      }),
    )
    expect(await post(`http://${name}:${port}/`)).toMatchObject({ kind: 'answered', status: 302 })
    expect(seen).toEqual([])
  })

  it('says what is wrong with the name', async () => {
    expect(await post('https://nobody.test/')).toMatchObject({
      ...{ kind: 'unreachable', why: 'dns', sentence: 'The name does not exist.' },
    })
    expect(await post('https://broken.test/')).toMatchObject({ kind: 'unreachable', why: 'dns' })
    addressesByName.set('empty.test', [])
    expect(await post('https://empty.test/')).toMatchObject({
      sentence: 'The name has no address.',
    })
  })

  it('waits for an answer no longer than it was told', async () => {
    addressesByName.set(name, ['127.0.0.1'])
    const port = await serveBytes(() => undefined)
    for (const scheme of ['http', 'https']) {
      const answered = await post(`${scheme}://${name}:${port}/`, { deadline: milliseconds(300) })
      expect(answered).toMatchObject({ kind: 'unreachable', why: 'timeout' })
    }
  })

  it('has its answer with the status, even if the body never ends', async () => {
    addressesByName.set(name, ['127.0.0.1'])
    const port = await listen(createServer((_, response) => void response.write('taken')))
    const answered = await post(`http://${name}:${port}/`, { deadline: milliseconds(500) })
    expect(answered).toEqual({ kind: 'answered', status: 200, body: 'taken' })
  })

  it('reads no more than 64 KiB of a body and 16 KiB of headers', async () => {
    addressesByName.set(name, ['127.0.0.1'])
    const flood = await serveBytes((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const pour = (): void => void (socket.destroyed || socket.write('x'.repeat(65_536), pour))
      pour()
    })
    const answered = await post(`http://${name}:${flood}/`)
    expect(answered).toEqual({ kind: 'answered', status: 200, body: 'x'.repeat(65_536) })
    const headers = await serveBytes((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`)
    })
    expect(await post(`http://${name}:${headers}/`)).toMatchObject({ why: 'not-http' })
  })

  it('does not change protocols, and takes nothing else for HTTP', async () => {
    addressesByName.set(name, ['127.0.0.1'])
    const upgrading = await serveBytes((socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n')
    })
    expect(await post(`http://${name}:${upgrading}/`)).toMatchObject({ kind: 'unreachable' })
    const mail = await serveBytes((socket) => void socket.write('220 mail.test ESMTP\r\n'))
    expect(await post(`http://${name}:${mail}/`)).toMatchObject({ why: 'not-http' })
    const closed = await serveBytes((socket) => void socket.destroy())
    expect(await post(`http://${name}:${closed}/`)).toMatchObject({ why: 'reset' })
    expect(await post(`http://${name}:1024/`)).toMatchObject({ why: 'refused' })
  })

  it('ends with the reason of its signal', async () => {
    addressesByName.set(name, ['127.0.0.1'])
    const stopping = new AbortController()
    const port = await serveBytes(() => stopping.abort(new Error('enough')))
    const request = { url: `http://${name}:${port}/`, method: 'POST', headers: {} } as const
    const asking = guard().fetch({ ...request, deadline: seconds(5) }, stopping.signal)
    await expect(asking).rejects.toThrow('enough')
  })
})

async function serveBytes(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    onConnection(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleaning.defer(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
