import { type AttackClass, chunked, end, get, HOST, OTHER_HOST, post } from '../payload.ts'

// What must get through: requests as browsers, mail programs, image proxies and scripts send them.

const CHROME = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: de,en-US;q=0.7,en;q=0.3',
  'sec-ch-ua: "Chromium";v="131", "Not_A Brand";v="24"',
  'sec-ch-ua-mobile: ?0',
  'Sec-Fetch-Dest: image',
  'Referer: https://mail.example/',
  'Cookie: a=b; c="d e"; __Host-x=y',
  'If-None-Match: W/"abc"',
  'Cache-Control: no-cache',
]

const lines = (...fields: readonly string[]): string =>
  fields.map((field) => `${field}\r\n`).join('')

/** Nothing in here may be refused. */
export const PLAIN: readonly AttackClass[] = [
  {
    class: 'plain',
    payloads: [
      (at) => end(at),
      (at) => get(`${at}/a`) + end(at),
      (at) => get(`${at}/a`, HOST, lines(...CHROME, 'Connection: keep-alive')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('User-Agent: curl/8.0', 'Accept: */*')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('user-agent: x', 'accept: y')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('X-Empty:')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('X:no-blank')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('X: tab\tinside', 'Y: trailing \t ')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('X: 1', 'X: 2', 'X: 3')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('constructor: a', 'toString: b')) + end(at),
      (at) => get(`${at}/a`, HOST, lines("!#$%&'*+-.^`|~: all")) + end(at),
      (at) => get(`${at}/a`, HOST, lines('Range: bytes=0-1', 'If-Match: *')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('Keep-Alive: timeout=5', 'TE: trailers')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('Content-Length: 0')) + end(at),
      (at) => get(`${at}/a`, HOST, lines('Content-Type: text/plain')) + end(at),
      (at) => get(`${at}/a`, `${HOST}:80`) + end(at),
      (at) => get(`${at}/a`, HOST.toUpperCase()) + end(at),
      (at) => get(`${at}/a`, OTHER_HOST) + end(at),
      (at) => get(`${at}/?a=b&c=%20d+e/f:g@h!$'()*,;=~`) + end(at),
      (at) => get(`${at}/%e4%bd%a0/%2F/..;/.`) + end(at),
      (at) => get(`${at}/${'x'.repeat(3000)}`) + end(at),
      (at) => get(`${at}/a`, HOST, lines(`Cookie: ${'c'.repeat(4000)}`)) + end(at),
      (at) => get(`${at}/a`, HOST, 'X: y\r\n'.repeat(90)) + end(at),
      (at) => get(`http://${HOST}${at}/a`) + end(at),
      (at) => get(`${at}/a`).replace('GET', 'HEAD') + end(at),
      (at) => get(`${at}/a`).replace('GET', 'OPTIONS') + end(at),
      (at) => get(`${at}/a`).replace('GET', 'DELETE') + end(at),
      (at) => get(`${at}/1`) + get(`${at}/2`, OTHER_HOST) + get(`${at}/3`) + end(at),
      (at) => get(`${at}/1`).replace('GET', 'HEAD') + get(`${at}/2`) + end(at),
      (at) => post(at, 'Content-Length: 0\r\n', ''),
      (at) => post(at, 'Content-Length: 5\r\n', 'abcde'),
      (at) => post(at, 'Content-Length: 5\r\n', '\0\r\n\r\n'),
      (at) => post(at, 'Content-Length: 5\r\n', 'abcde', 'PUT'),
      (at) => post(at, 'Content-Length: 5\r\n', 'abcde', 'PATCH'),
      (at) => post(at, 'Content-Length: 5\r\n', 'abcde', 'DELETE'),
      (at) => post(at, 'Content-Length: 5\r\n', 'abcde', 'GET'),
      (at) => post(at, 'Content-Length: 3000\r\n', 'x'.repeat(3000)),
      (at) => post(at, 'Transfer-Encoding: chunked\r\n', chunked('abcde')),
      (at) =>
        post(
          at,
          'Transfer-Encoding: chunked\r\n',
          '1\r\na\r\n2\r\nbc\r\nA\r\n0123456789\r\n0\r\n\r\n',
        ),
      (at) => post(at, 'Transfer-Encoding: chunked\r\n', '0\r\n\r\n'),
      (at) => post(at, 'transfer-encoding: Chunked\r\n', chunked('abcde'), 'PUT'),
      (at) =>
        post(at, 'Transfer-Encoding: chunked\r\nTrailer: X\r\n', '5\r\nabcde\r\n0\r\nX: y\r\n\r\n'),
      (at) => post(at, 'Expect: 100-continue\r\nContent-Length: 5\r\n', 'abcde'),
      (at) => `GET ${at}/a HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`,
      (at) => `GET ${at}/a HTTP/1.0\r\nHost: ${HOST}\r\nConnection: keep-alive\r\n\r\n${end(at)}`,
      (at) => `POST ${at}/a HTTP/1.0\r\nHost: ${HOST}\r\nContent-Length: 3\r\n\r\nabc`,
      (at) => `GET ${at}/a HTTP/1.1\r\nAccept: */*\r\nHost: ${HOST}\r\n\r\n${end(at)}`,
      (at) => `GET ${at}/a HTTP/1.1\r\nHost:${HOST}\r\n\r\n${end(at)}`,
      (at) => `GET ${at}/a HTTP/1.1\r\nhost: ${HOST} \r\n\r\n${end(at)}`,
    ],
  },
]
