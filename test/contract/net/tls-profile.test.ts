import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contextCiphers, serverTlsOptions } from '../../../src/net/index.ts'
import { createTestCa } from '../../support/certificates.ts'

const ca = createTestCa()
const issued = ca.issue('email.customer.test')
const context = tls.createSecureContext({
  cert: issued.chainPem,
  key: issued.keyPem,
  ciphers: contextCiphers('ec'),
})
const server = tls.createServer({
  ...serverTlsOptions(),
  SNICallback: (_, done) => done(null, context),
})
server.on('tlsClientError', () => undefined)

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  server.close()
})

/** The caller destroys the socket. */
async function connect(wishes: tls.ConnectionOptions): Promise<tls.TLSSocket> {
  const { port } = server.address() as AddressInfo
  const socket = tls.connect({
    ...{ port, host: '127.0.0.1', servername: 'email.customer.test', ca: ca.rootPem },
    ...wishes,
  })
  await once(socket, 'secureConnect')
  return socket
}

describe('the TLS profile', () => {
  it.each([
    ['TLSv1.3', undefined, 'TLS_AES_256_GCM_SHA384'],
    ['TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
    ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
    ['TLSv1.2', 'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ] as const)(
    'speaks %s with %s, whatever the context of the host lists',
    async (version, ciphers, suite) => {
      const socket = await connect({ maxVersion: version, ...(ciphers ? { ciphers } : {}) })
      expect([socket.getProtocol(), socket.getCipher().name]).toEqual([version, suite])
      expect(socket.authorized).toBe(true)
      socket.destroy()
    },
  )

  it.each([
    ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['CBC suites', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' }],
    ['suites without forward secrecy', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }],
  ] as const)('refuses %s', async (_, wishes) => {
    await expect(connect(wishes)).rejects.toThrow()
  })

  it('refuses to renegotiate', async () => {
    const socket = await connect({ maxVersion: 'TLSv1.2' })
    const refused = once(socket, 'error')
    socket.renegotiate({}, () => undefined)
    const [error] = await refused
    expect(String(error)).toContain('no_renegotiation'.replace('_', ' '))
    socket.destroy()
  })
})
