import { describe, expect, it } from 'vitest'
import {
  type ForwardingFacts,
  headersForBackend,
  headersForVisitor,
} from '../../../src/edge/request/forwarded-headers.ts'
import { parseWireHostname } from '../../../src/kernel/index.ts'

function someFacts(wishes: Partial<ForwardingFacts> = {}): ForwardingFacts {
  const hostname = parseWireHostname('email.customer.test')
  if (!hostname) throw new TypeError('not a hostname')
  return {
    hostname,
    address: '192.0.2.1',
    secure: true,
    port: 443,
    requestId: 'id',
    body: 'none',
    upgrade: 'none',
    ...wishes,
  }
}

const OURS = {
  host: 'email.customer.test',
  'x-forwarded-for': '192.0.2.1',
  'x-forwarded-host': 'email.customer.test',
  'x-forwarded-port': '443',
  'x-forwarded-proto': 'https',
  forwarded: 'for=192.0.2.1;host=email.customer.test;proto=https',
  'x-request-id': 'id',
}

describe('the head for a backend', () => {
  it.each([
    'X-Forwarded-For',
    'x-FORWARDED-proto',
    'X-Forwarded',
    'X-Forwarded-Anything-New',
    'X_Forwarded_For',
    'X_REAL_IP',
    'Forwarded',
    'X-Real-IP',
    'Via',
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-Request-Id',
    'Proxy',
    'True-Client-IP',
    'CF-Connecting-IP',
    'Fastly-Client-IP',
    'X-Originating-IP',
    'X-Remote-IP',
    'X-Remote-Addr',
    'X-Original-Forwarded-For',
    'X-ProxyUser-IP',
    'X-Azure-ClientIP',
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'X-Original-Method',
    'Front-End-Https',
    'X-Scheme',
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authorization',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'HTTP2-Settings',
    'Expect',
  ])('has nothing of the visitor in %s', (name) => {
    expect(headersForBackend([name, 'evil'], someFacts())).toEqual(OURS)
  })

  it('drops what Connection lists, but neither what is ours nor the length', () => {
    const listed = 'close, X-Secret , host, x-forwarded-for, content-length'
    const fields = [
      'Connection',
      listed,
      'x-secret',
      '1',
      'Content-Length',
      '3',
      'Host',
      'evil.test',
    ]
    expect(headersForBackend(fields, someFacts())).toEqual({ ...OURS, 'content-length': '3' })
  })

  it('keeps repeated fields apart, whatever they are called', () => {
    const fields = ['Accept', 'a', 'accept', 'b', 'constructor', 'c', 'ACCEPT', 'd']
    expect(headersForBackend(fields, someFacts())).toEqual({
      ...OURS,
      accept: ['a', 'b', 'd'],
      constructor: 'c',
    })
  })

  it('writes IPv6 as RFC 7239 wants it, and frames and upgrades anew', () => {
    const facts = someFacts({ address: '2001:db8::1', secure: false, port: 80, body: 'chunked' })
    expect(headersForBackend([], facts)).toMatchObject({
      'x-forwarded-for': '2001:db8::1',
      forwarded: 'for="[2001:db8::1]";host=email.customer.test;proto=http',
      'transfer-encoding': 'chunked',
    })
    expect(headersForBackend([], someFacts({ upgrade: 'websocket' }))).toMatchObject({
      connection: 'Upgrade',
      upgrade: 'websocket',
    })
  })
})

it('gives a visitor what the backend said, without hops and software', () => {
  const fields = [
    'Server',
    'x',
    'Connection',
    'X-Hop',
    'X-Hop',
    '1',
    'Set-Cookie',
    'a',
    'Set-Cookie',
    'b',
  ]
  expect(headersForVisitor(fields)).toEqual({ 'set-cookie': ['a', 'b'] })
})
