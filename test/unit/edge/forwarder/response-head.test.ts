import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { framingOf } from '../../../../src/edge/forwarder/body-framing.ts'
import { readResponseHead } from '../../../../src/edge/forwarder/response-head.ts'
import { restAfter } from '../../../../src/edge/forwarder/rest-plan.ts'

const read = (text: string) => readResponseHead(Buffer.from(text, 'latin1'))
/** Short enough for the name of a test. */
const shown = (text: string) => JSON.stringify(text).slice(0, 40)
const headOf = (fields: string, start = 'HTTP/1.1 200 OK') => {
  const head = read(`${start}\r\n${fields}\r\n`)
  if (head.kind !== 'head') throw new TypeError(`${head.kind}: ${JSON.stringify(fields)}`)
  return head
}

describe('the head of an answer', () => {
  it.each([
    ['HTTP/1.1 200 OK', '1.1', 200],
    ['HTTP/1.0 404 Not Found', '1.0', 404],
    ['HTTP/1.1 302 ', '1.1', 302],
    ['HTTP/1.1 599', '1.1', 599],
    ['HTTP/1.1 103 Early Hints', '1.1', 103],
    ['HTTP/1.1 200 G\xfct\tso', '1.1', 200],
  ])('may begin with %j', (start, version, status) => {
    expect(headOf('A: b\r\n', start)).toMatchObject({ version, status, lines: 'A: b\r\n' })
  })

  it.each([
    'HTTP/1.1 200 OK\n\r\n',
    'HTTP/1.1 200 OK\nA: b\r\n\r\n',
    'HTTP/1.1 200 OK\r\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 099 Odd\r\n\r\n',
    'HTTP/1.1 600 Odd\r\n\r\n',
    'HTTP/1.1 200OK\r\n\r\n',
    'HTTP/2.0 200 OK\r\n\r\n',
    'HTTP/1.2 200 OK\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
    ' HTTP/1.1 200 OK\r\n\r\n',
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    '\r\n\r\n',
    'HTTP/1.1 200 \0\r\n\r\n',
    ...[
      'A : b',
      ' A: b',
      'A\t: b',
      ': b',
      'A',
      'A b: c',
      'A(: b',
      'A\xe4: b',
      'A: b\r\n c',
      'A: b\r\n\tc',
      'A: b\rc',
      'A: b\nB: c',
      'A: b\n',
      'A: \0',
      'A: \x7f',
      'A: \x1b[0m',
    ].map((field) => `HTTP/1.1 200 OK\r\n${field}\r\n\r\n`),
  ])('is broken if it is %j', (text) => {
    expect(read(text).kind).toBe('broken')
  })

  it.each(
    [
      ['garbage', 'broken'],
      ['HTTP/1', 'incomplete'],
      ['', 'incomplete'],
      ['HTTP/1.1 200 OK\r', 'incomplete'],
      ['HTTP/1.1 200 OK\r\nA: b\r\n', 'incomplete'],
      ['HTTP/1.1 200 OK\n', 'broken'],
      ['HTTP/1.1 200 OK\r\nA: \0', 'broken'],
      [`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(16_363)}`, 'incomplete'],
      [`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(16_364)}`, 'broken'],
      [`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(16_360)}\r\n\r\n`, 'head'],
      [`HTTP/1.1 200 OK\r\nA: ${'b'.repeat(16_361)}\r\n\r\n`, 'broken'],
    ].map(([text = '', kind]) => [shown(text), kind, text]),
  )('that begins with %s is %s', (_, kind, text) => {
    expect(read(text).kind).toBe(kind)
  })

  it('ends where it ends, whatever follows', () => {
    expect(read('HTTP/1.1 200 OK\r\nA: b\r\n\r\n\r\n\r\nHTTP').kind).toBe('head')
    expect(headOf('A: b\r\n')).toMatchObject({ size: 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n'.length })
  })

  it('loses what concerns one connection, how the body ends, and whose software it was', () => {
    const dropped = [
      'Connection: close, X-Hop, x-OTHER',
      'X-Hop: 1',
      'X-Other:2',
      'Keep-Alive: timeout=9',
      'Proxy-Authenticate: Basic',
      'Server: secret/1.0',
      'TE: trailers',
      'Trailer: X-Sum',
      'Transfer-Encoding: chunked',
      'Content-Length: 5',
      'Upgrade: h2c',
    ]
    const kept = ['Date: now', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'constructor: c', 'ETag: "x"']
    const mixed = dropped.flatMap((line, index) => [line, ...kept.slice(index, index + 1)])
    const head = headOf(`${mixed.join('\r\n')}\r\n`)
    expect(head.lines).toBe(`${kept.join('\r\n')}\r\n`)
    expect(head).toMatchObject({
      contentLength: '5',
      transferEncoding: 'chunked',
      keepAlive: 'timeout=9',
    })
  })

  it('has values without the spaces around them, and with everything else', () => {
    expect(headOf('A:b\r\nB:  c \t\r\nC:\r\nD: \xa0e f\xa0\r\nE: \r\n').lines).toBe(
      'A: b\r\nB: c\r\nC: \r\nD: \xa0e f\xa0\r\nE: \r\n',
    )
  })

  it('is the same in whatever pieces it comes, or broken before its end', () => {
    const bytes = fc.oneof(
      fc.constantFrom('\r\n', '\n', '\r', ' ', '\t', ':', 'A', '\0', 'Content-Length: 1', '\xe4'),
      fc.constantFrom('A: b\r\n', 'Connection: a\r\n', 'HTTP/1.1 200 OK\r\n'),
    )
    const texts = fc
      .tuple(fc.constantFrom('HTTP/1.1 200 OK\r\n', 'HTTP/1.0 200\r\n', ''), fc.array(bytes))
      .map(([start, rest]) => `${start}${rest.join('')}\r\n\r\n`)
    fc.assert(
      fc.property(texts, (text) => {
        const whole = read(text)
        for (let end = 0; end <= text.length; end += 1) {
          const part = read(text.slice(0, end))
          if (part.kind !== 'incomplete') expect(part).toEqual(whole)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('never lets a line through that has another one in it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        const head = read(`HTTP/1.1 200 OK\r\nA: ${Buffer.from(noise).toString('latin1')}\r\n\r\n`)
        if (head.kind !== 'head') return
        expect(head.lines).toMatch(/^(?:[!-9;-~]+: (?:[\t -~\x80-\xff]*)\r\n)*$/)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the end of a body', () => {
  it.each([
    ['a length', 'Content-Length: 5\r\n', 'GET', { kind: 'sized', bytes: 5 }],
    ['no body at all', 'Content-Length: 0\r\n', 'GET', { kind: 'sized', bytes: 0 }],
    ['chunks', 'Transfer-Encoding: Chunked\r\n', 'GET', { kind: 'chunked' }],
    ['neither', '', 'GET', { kind: 'until-close' }],
    ['a length, for HEAD', 'Content-Length: 5\r\n', 'HEAD', { kind: 'none' }],
    ['chunks, for HEAD', 'Transfer-Encoding: chunked\r\n', 'HEAD', { kind: 'none' }],
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 5\r\n', 'GET', { kind: 'broken' }],
    ['two lengths, for HEAD', 'Content-Length: 5, 5\r\n', 'HEAD', { kind: 'broken' }],
    ['both', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 'GET', { kind: 'broken' }],
    ['another coding', 'Transfer-Encoding: gzip, chunked\r\n', 'GET', { kind: 'broken' }],
    ['a coding that is none', 'Transfer-Encoding: identity\r\n', 'GET', { kind: 'broken' }],
    ['chunks twice', 'Transfer-Encoding: chunked, chunked\r\n', 'GET', { kind: 'broken' }],
    ['an empty coding', 'Transfer-Encoding:\r\n', 'GET', { kind: 'broken' }],
    ...['+5', '-5', '5 5', '0x5', '05', '5.0', '', '5;', '1e3', '9'.repeat(16), '٥'].map(
      (value) =>
        [
          `the length ${JSON.stringify(value)}`,
          `Content-Length: ${Buffer.from(value).toString('latin1')}\r\n`,
          'GET',
          { kind: 'broken' },
        ] as const,
    ),
  ] as const)('with %s', (_, fields, method, framing) => {
    expect(framingOf(headOf(fields), method)).toEqual(framing)
  })

  it.each([204, 304])('is that of the head, with %i', (status) => {
    const head = headOf('Content-Length: 5\r\n', `HTTP/1.1 ${status} -`)
    expect(framingOf(head, 'GET')).toEqual({ kind: 'none' })
  })

  it('cannot be told from chunks in HTTP/1.0', () => {
    const head = headOf('Transfer-Encoding: chunked\r\n', 'HTTP/1.0 200 OK')
    expect(framingOf(head, 'GET')).toEqual({ kind: 'broken' })
  })
})

describe('a connection to a backend', () => {
  it.each([
    ['HTTP/1.1', '', 4000],
    ['HTTP/1.1', 'Connection: keep-alive\r\n', 4000],
    ['HTTP/1.1', 'Connection: Close\r\n', 0],
    ['HTTP/1.1', 'Connection: x, close\r\nConnection: keep-alive\r\n', 0],
    ['HTTP/1.1', 'Connection: x\r\n', 4000],
    ['HTTP/1.0', '', 0],
    ['HTTP/1.0', 'Connection: Keep-Alive\r\n', 4000],
    ['HTTP/1.0', 'Connection: x, keep-alive\r\n', 4000],
    ['HTTP/1.0', 'Connection: x\r\n', 0],
    ['HTTP/1.1', 'Keep-Alive: timeout=5\r\n', 4000],
    ['HTTP/1.1', 'Keep-Alive: max=9, timeout=75\r\n', 60_000],
    ['HTTP/1.1', 'Keep-Alive: timeout=2, max=9\r\n', 1000],
    ['HTTP/1.1', 'Keep-Alive: timeout=1\r\n', 500],
    ['HTTP/1.1', 'Keep-Alive: timeout=0\r\n', 0],
    ['HTTP/1.1', 'Keep-Alive: timeout=soon\r\n', 4000],
  ])('after %s with %j rests for %i ms', (version, fields, restMs) => {
    const head = headOf(fields, `${version} 200 OK`)
    expect(restAfter(head, { kind: 'none' })).toBe(restMs)
  })

  it.each([
    [204, '', 4000],
    [204, 'Content-Length: 0\r\n', 4000],
    [204, 'Content-Length: 5\r\n', 0],
    [204, 'Transfer-Encoding: chunked\r\n', 0],
    [304, 'Content-Length: 5\r\n', 4000],
  ])('after a %i with %j rests for %i ms', (status, fields, restMs) => {
    const head = headOf(fields, `HTTP/1.1 ${status} -`)
    expect(restAfter(head, { kind: 'none' })).toBe(restMs)
  })

  it('that ends with its answer is not used again', () => {
    expect(restAfter(headOf(''), { kind: 'until-close' })).toBe(0)
  })
})
