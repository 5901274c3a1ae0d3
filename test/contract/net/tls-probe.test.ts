import { once } from 'node:events'
import { createServer as createTcpServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, expect, it } from 'vitest'
import { probeTls } from '../../../src/net/index.ts'
import { createTestCa } from '../../support/certificates.ts'

const hostname = 'email.customer.test'
const { signal } = new AbortController()
let servers: Server[] = []
afterEach(() => {
  for (const server of servers) server.close()
  servers = []
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

const probe = (port: number) => probeTls({ address: '127.0.0.1', port, hostname }, signal)

it('shows which certificate a visitor of that name gets, whoever signed it', async () => {
  const { chainPem, keyPem, serial } = createTestCa().issue(hostname)
  const asked: string[] = []
  const server = createTlsServer({
    ...{ cert: chainPem, key: keyPem },
    SNICallback: (name, answer) => {
      asked.push(name)
      answer(null)
    },
  })
  server.on('tlsClientError', (_, socket) => socket.destroy())
  server.on('secureConnection', (socket) => socket.on('error', () => socket.destroy()))
  const port = await listen(server)
  expect(await probe(port)).toEqual({
    ...{ kind: 'shown', serial, issuer: 'Postern Test Intermediate' },
  })
  expect(asked).toEqual([hostname])
})

it('shows nothing where nobody listens, and of what is not TLS', async () => {
  const port = await listen(createTcpServer((socket) => socket.end('HTTP/1.1 400\r\n\r\n')))
  expect(await probe(port)).toEqual({ kind: 'none' })
  expect(await probe(1)).toEqual({ kind: 'none' })
})

it('waits no longer than it is told to', async () => {
  const port = await listen(createTcpServer((socket) => socket.on('error', () => socket.destroy())))
  const giveUp = new AbortController()
  const probing = probeTls({ address: '127.0.0.1', port, hostname }, giveUp.signal)
  giveUp.abort(new Error('enough'))
  await expect(probing).rejects.toThrow('enough')
})
