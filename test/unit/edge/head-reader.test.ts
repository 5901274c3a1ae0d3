import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHeadReader, type HeadVerdict } from '../../../src/edge/gate/head-reader.ts'
import { linesForBackend } from '../../../src/edge/request/forwarded-headers.ts'
import { judgeRequest } from '../../../src/edge/request/request-rules.ts'

const HOST = 'email.customer.test'

function read(text: string, from = 0): HeadVerdict {
  return createHeadReader().read(text, from)
}

function head(lines: readonly string[], start = 'GET / HTTP/1.1'): string {
  return `${[start, ...lines].join('\r\n')}\r\n\r\n`
}

describe('a plain head', () => {
  it('is read with what a backend may see', () => {
    const text = head(
      [
        `Host: ${HOST.toUpperCase()}:443`,
        'Connection: keep-alive',
        'sec-ch-ua: "Chromium";v="1"',
        'User-Agent: Mail (x)',
        'X-Forwarded-For: 6.6.6.6',
        'Via: 1.1 proxy',
        'Accept: */*',
        'Cookie: a=b; c=d',
        'x-real-ip: 6.6.6.6',
      ],
      'GET /c/k/p-_~?a[]=%20 HTTP/1.1',
    )
    expect(read(text)).toEqual({
      kind: 'plain',
      method: 'GET',
      hostname: HOST,
      target: '/c/k/p-_~?a[]=%20',
      lines:
        'sec-ch-ua: "Chromium";v="1"\r\nUser-Agent: Mail (x)\r\nAccept: */*\r\nCookie: a=b; c=d\r\n',
      userAgent: 'Mail (x)',
      keepsAlive: true,
      bytes: text.length,
    })
  })

  it('may be one of HEAD, ask to close, and stand behind another one', () => {
    const text = head([`Host: ${HOST}`, 'Connection: Close'], 'HEAD /x HTTP/1.1')
    const verdict = { kind: 'plain', method: 'HEAD', keepsAlive: false, bytes: text.length }
    expect(
      read(`${head([`host: ${HOST}`])}${text}GET`, head([`host: ${HOST}`]).length),
    ).toMatchObject(verdict)
  })

  it('has up to a hundred fields', () => {
    const more = Array.from({ length: 99 }, () => 'A: b')
    expect(read(head([`Host: ${HOST}`, ...more])).kind).toBe('plain')
    expect(read(head([`Host: ${HOST}`, ...more, 'A: b'])).kind).toBe('not-plain')
  })

  it('ends at 16 KB', () => {
    const most = 16 * 1024 - head([`Host: ${HOST}`, 'A: ']).length
    expect(read(head([`Host: ${HOST}`, `A: ${'b'.repeat(most)}`])).kind).toBe('plain')
    expect(read(head([`Host: ${HOST}`, `A: ${'b'.repeat(most + 1)}`])).kind).toBe('not-plain')
  })
})

const WITH_HOST = (line: string): string => head([`Host: ${HOST}`, line])
const WITH_START = (start: string): string => head([`Host: ${HOST}`], start)

/** Each is somebody else's to read or to refuse. */
const LEFT_TO_OTHERS: readonly (readonly [what: string, text: string])[] = [
  ['another method', WITH_START('POST / HTTP/1.1')],
  ['a method in small letters', WITH_START('get / HTTP/1.1')],
  ['a method that begins alike', WITH_START('GETS / HTTP/1.1')],
  ['two spaces after the method', WITH_START('GET  / HTTP/1.1')],
  ['a tab after the method', WITH_START('GET\t/ HTTP/1.1')],
  ['two spaces before the version', WITH_START('GET /  HTTP/1.1')],
  ['an empty line before the head', `\r\n${WITH_START('GET / HTTP/1.1')}`],
  ['HTTP/1.0', WITH_START('GET / HTTP/1.0')],
  ['HTTP/1.10', WITH_START('GET / HTTP/1.10')],
  ['RTSP', WITH_START('GET / RTSP/1.0')],
  ['no version', WITH_START('GET /')],
  ['absolute-form', WITH_START(`GET http://${HOST}/ HTTP/1.1`)],
  ['asterisk-form', WITH_START('GET * HTTP/1.1')],
  ...[...'#"<>|\\^`{} \t\x00\x7f\x80\xff'].map(
    (odd) =>
      [`${JSON.stringify(odd)} in the target`, WITH_START(`GET /a${odd}b HTTP/1.1`)] as const,
  ),
  ['no Host', head(['A: b'])],
  ['two Hosts', WITH_HOST(`Host: ${HOST}`)],
  ...['', 'u@email.customer.test', 'a b.test', '127.0.0.1', '[::1]', 'localhost', `${HOST}.`].map(
    (odd) => [`the Host ${odd}`, head([`Host: ${odd}`])] as const,
  ),
  ['a port too high', head([`Host: ${HOST}:65536`])],
  ['no space after the colon', WITH_HOST('A:b')],
  ['two spaces after the colon', WITH_HOST('A:  b')],
  ['a tab after the colon', WITH_HOST('A:\tb')],
  ['a space before the colon', WITH_HOST('A : b')],
  ['a blank at the end of a value', WITH_HOST('A: b ')],
  ['a tab at the end of a value', WITH_HOST('A: b\t')],
  ['an empty value', WITH_HOST('A: ')],
  ['no value', WITH_HOST('A:')],
  ['no colon', WITH_HOST('A')],
  ['no name', WITH_HOST(': b')],
  ['a folded line', WITH_HOST('A: b\r\n c')],
  ['an underscore in a name', WITH_HOST('X_Real_IP: b')],
  ['a byte beyond ASCII in a name', WITH_HOST('\xe9: b')],
  ['a byte beyond ASCII in a value', WITH_HOST('A: caf\xe9')],
  ['a NUL in a value', WITH_HOST('A: b\x00c')],
  ['a bare CR in a value', WITH_HOST('A: b\rc')],
  ['a bare LF in a value', WITH_HOST('A: b\nc')],
  ['bare LFs', head([`Host: ${HOST}`]).replaceAll('\r\n', '\n')],
  ['a CR instead of the empty line', `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\rGET`],
  ...[
    'Content-Length: 0',
    'content-length: 5',
    'Transfer-Encoding: chunked',
    'Transfer-encoding: identity',
    'Upgrade: h2c',
    'Expect: 100-continue',
    'TE: trailers',
    'Trailer: X',
    'Keep-Alive: 300',
    'Proxy-Connection: keep-alive',
    'HTTP2-Settings: AAMAAABkAAQAAP__',
    'Connection: Upgrade',
    'Connection: keep-alive, X-Secret',
    'Connection: X-Forwarded-For',
    'Connection: close\r\nConnection: close',
  ].map((line) => [line, WITH_HOST(line)] as const),
]

describe('what is not plain', () => {
  it.each(LEFT_TO_OTHERS)('%s is left to others', (_, text) => {
    expect(read(text).kind).toBe('not-plain')
  })

  it.each(LEFT_TO_OTHERS)('%s is never plain on the way, and never waited for', (_, text) => {
    const kinds = [...text].map((_byte, index) => read(text.slice(0, index + 1)).kind)
    expect(kinds).not.toContain('plain')
    expect(kinds.at(-1)).toBe('not-plain')
    // Once given up, for good.
    expect(kinds.slice(kinds.indexOf('not-plain'))).not.toContain('incomplete')
  })
})

it('waits for the rest of a plain head, wherever it is cut', () => {
  const text = head([`Host: ${HOST}`, 'User-Agent: a b', 'X-Forwarded-For: c', 'Accept: d'])
  for (let cut = 0; cut < text.length; cut += 1) {
    expect(read(text.slice(0, cut)).kind).toBe('incomplete')
  }
})

/** What node:http makes of the same bytes, followed by another request. */
interface NodeReading {
  readonly method: string
  readonly url: string
  readonly version: string
  readonly rawHeaders: readonly string[]
}

const NEXT = `GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`

async function readByNode(text: string): Promise<readonly NodeReading[]> {
  const readings: NodeReading[] = []
  const done = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    const { method = '', url = '', httpVersion: version, rawHeaders } = request
    readings.push({ method, url, version, rawHeaders })
    response.end()
    if (readings.length === 2) done.resolve()
  })
  server.maxHeadersCount = 0
  server.on('clientError', () => done.resolve())
  const socket = new Duplex({
    read: () => undefined,
    write: (_piece, _encoding, written) => written(),
  })
  socket.on('close', () => done.resolve())
  server.emit('connection', socket)
  socket.push(Buffer.from(`${text}${NEXT}`, 'latin1'))
  await done.promise
  socket.destroy()
  return readings
}

const name = fc.constantFrom(
  ...[
    'Accept',
    'cookie',
    'User-Agent',
    'X-Forwarded-For',
    'Via',
    'CONNECTION',
    'X-A',
    'constructor',
  ],
  ...[
    'Content-Length',
    'Transfer-Encoding',
    'TE',
    'Upgrade',
    'Host',
    'Proxy',
    'x-forwarded',
    'A_b',
  ],
)
const value = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: fc.constantFrom(...'ab1;=,"/ '), minLength: 1 }) },
  { weight: 1, arbitrary: fc.constantFrom('close', 'keep-alive', 'chunked', '0', '3', HOST) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii' }) },
)
const colon = fc.oneof(
  { weight: 20, arbitrary: fc.constant(': ') },
  { weight: 1, arbitrary: fc.constantFrom(':', ' : ', ':\t', ':  ') },
)
const line = fc.tuple(name, colon, value).map((parts) => parts.join(''))
const target = fc.oneof(
  { weight: 4, arbitrary: fc.webPath().map((path) => `/${path}`) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii' }).map((text) => `/${text}`) },
)
const startLine = fc.oneof(
  { weight: 12, arbitrary: target.map((text) => `GET ${text} HTTP/1.1`) },
  { weight: 1, arbitrary: fc.constantFrom('HEAD / HTTP/1.1', 'GET /  HTTP/1.1', 'GET / HTTP/1.0') },
)
const anyHead = fc
  .tuple(startLine, fc.array(line, { maxLength: 6 }), fc.nat({ max: 6 }))
  .map(([start, lines, at]) => head(lines.toSpliced(at, 0, `Host: ${HOST}`), start))

describe('against node:http and the rules', () => {
  it('reads the same message or none, and copies fields as they would be written anew', async () => {
    let plain = 0
    await fc.assert(
      fc.asyncProperty(anyHead, async (text) => {
        const mine = read(text)
        if (mine.kind !== 'plain') return
        plain += 1
        const [first, next] = await readByNode(text)
        expect(first).toMatchObject({ method: mine.method, url: mine.target, version: '1.1' })
        expect(next?.url).toBe(mine.keepsAlive ? '/next' : undefined)
        const fields = first?.rawHeaders ?? []
        expect(mine.lines).toBe(linesForBackend(fields))
        const facts = { method: mine.method, target: mine.target, version: '1.1', secure: true }
        expect(judgeRequest({ ...facts, fields })).toMatchObject({
          kind: 'accepted',
          hostname: mine.hostname,
          target: mine.target,
          body: 'none',
          upgrade: 'none',
        })
        expect(mine.bytes).toBe(text.length)
      }),
      { numRuns: 3000 },
    )
    expect(plain).toBeGreaterThan(300)
  })

  it('finds the end of a head where the first empty line is', () => {
    fc.assert(
      fc.property(anyHead, fc.string({ unit: 'binary-ascii' }), (text, more) => {
        const verdict = read(text + more)
        if (verdict.kind !== 'plain') return
        expect(verdict.bytes).toBe((text + more).indexOf('\r\n\r\n') + 4)
      }),
    )
  })

  it('is not surprised by any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 10 }), (bytes, from) => {
        expect(read(Buffer.from(bytes).toString('latin1'), from).kind).not.toBe('plain')
      }),
    )
  })
})
