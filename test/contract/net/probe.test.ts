import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { fetchChallenge } from '../../../src/net/index.ts'

const signal = new AbortController().signal
const cleaning = new AsyncDisposableStack()
afterAll(() => cleaning.disposeAsync())

const serve = async (listener: RequestListener): Promise<number> => {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleaning.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
const serveBytes = async (onConnection: (socket: Socket) => void): Promise<number> => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => socket.destroy())
    onConnection(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleaning.defer(() => void server.close())
  return (server.address() as AddressInfo).port
}
const fetch = (port: number, address = '127.0.0.1') =>
  fetchChallenge({ address, port, hostname: 'email.customer.test', path: '/.well-known/x' }, signal)

describe('a probe', () => {
  it('asks the given address by the name of the host, and brings back what it says', async () => {
    const seen: unknown[] = []
    const port = await serve((request, response) => {
      seen.push([request.method, request.url, request.headers.host, request.headers.connection])
      response.setHeader('server', 'nginx').end('token')
    })
    expect(await fetch(port)).toEqual({
      ...{ kind: 'answered', status: 200, body: 'token', server: 'nginx' },
    })
    expect(seen).toEqual([['GET', '/.well-known/x', 'email.customer.test', 'close']])
  })

  it('reads no more than a kilobyte of an endless answer', async () => {
    const port = await serve((_, response) => {
      const timer = setInterval(() => response.write('x'.repeat(500)), 1)
      response.on('close', () => clearInterval(timer))
    })
    const answer = await fetch(port)
    expect(answer).toMatchObject({ kind: 'answered', body: 'x'.repeat(1024) })
  })

  it('follows redirects to the same host, three at most', async () => {
    let asked = 0
    const port = await serve((request, response) => {
      asked += 1
      if (request.url === '/three') response.end('token')
      else if (request.url === '/two') response.writeHead(307, { location: '/three' }).end()
      else response.writeHead(302, { location: 'http://email.customer.test/two' }).end()
    })
    expect(await fetch(port)).toMatchObject({ kind: 'answered', body: 'token' })
    expect(asked).toBe(3)
    const endless = await serve((_, response) => response.writeHead(302, { location: '/' }).end())
    expect(await fetch(endless)).toMatchObject({ kind: 'redirected', location: '/' })
  })

  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://other.test/',
    'http://email.customer.test:8080/',
    'http://user@email.customer.test/',
    'ftp://email.customer.test/',
    'http://email.customer.test.evil.test/',
    'http://[',
    `/${'x'.repeat(3000)}`,
  ])('does not follow a redirect to %.60s', async (location) => {
    let asked = 0
    const port = await serve((_, response) => {
      asked += 1
      response.writeHead(301, { location }).end()
    })
    expect(await fetch(port)).toEqual({ kind: 'redirected', status: 301, location })
    expect(asked).toBe(1)
  })

  it('says that nobody listens', async () => {
    expect(await fetch(1)).toEqual({ kind: 'unreachable', why: 'refused' })
  })

  it('says that the connection was cut, or spoke something else', async () => {
    const cut = await serveBytes((socket) => socket.resetAndDestroy())
    expect(await fetch(cut)).toEqual({ kind: 'unreachable', why: 'reset' })
    const smtp = await serveBytes((socket) => socket.end('220 mail.test ESMTP\r\n'))
    expect(await fetch(smtp)).toEqual({ kind: 'unreachable', why: 'not-http' })
  })

  it('waits five seconds for a server that does not answer', async () => {
    const port = await serveBytes(() => undefined)
    expect(await fetch(port)).toEqual({ kind: 'unreachable', why: 'timeout' })
  })

  it('stops at once when told to', async () => {
    const port = await serveBytes(() => undefined)
    const stopping = new AbortController()
    const target = { address: '127.0.0.1', port, hostname: 'email.customer.test', path: '/' }
    const asking = fetchChallenge(target, stopping.signal)
    stopping.abort(new Error('stop'))
    await expect(asking).rejects.toThrow('stop')
  })
})
