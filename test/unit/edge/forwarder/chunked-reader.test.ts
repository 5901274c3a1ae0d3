import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createChunkedReader } from '../../../../src/edge/forwarder/chunked-reader.ts'

/** Reads a body that comes in pieces; `end` counts from the first byte of the first piece. */
function readAll(pieces: readonly Buffer[]): { body: string; end: number | 'more' | 'broken' } {
  const reader = createChunkedReader()
  let body = ''
  let before = 0
  for (const bytes of pieces) {
    const end = reader.read(bytes, 0, (piece) => {
      body += piece.toString('latin1')
    })
    if (end === 'broken') return { body, end }
    if (end !== 'more') return { body, end: before + end }
    before += bytes.length
  }
  return { body, end: 'more' }
}

const read = (text: string) => readAll([Buffer.from(text, 'latin1')])

describe('a chunked body', () => {
  it.each([
    ['0\r\n\r\n', ''],
    ['3\r\nabc\r\n0\r\n\r\n', 'abc'],
    ['3\r\nabc\r\nA\r\n0123456789\r\n000\r\n\r\n', 'abc0123456789'],
    ['1;x=y;z\r\na\r\n0;end="1\t2"\r\n\r\n', 'a'],
    ['1\r\na\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n', 'a'],
    ['2\r\n\r\n\r\n0\r\n\r\n', '\r\n'],
  ])('%j holds %j', (text, body) => {
    expect(read(text)).toEqual({ body, end: text.length })
    expect(read(`${text}HTTP/1.1 200 OK`)).toEqual({ body, end: text.length })
  })

  it.each(
    [
      'x\r\n',
      '\r\n',
      ';x\r\n',
      '-1\r\n',
      '+1\r\n',
      '0x1\r\n',
      ' 1\r\na',
      '1 \r\na',
      '1\na\r\n',
      '1\r\nab',
      '1\r\na\n0\r\n\r\n',
      '1\r\na0\r\n\r\n',
      '1;x\n\r\na',
      '1;\0\r\na',
      '1\r\r\na',
      `${'0'.repeat(11)}1\r\n`,
      'ffffffffffff\r\n',
      '0\r\n\n',
      '0\r\n x: y\r\n\r\n',
      '0\r\nx\r\n\r\n',
      '0\r\nx : y\r\n\r\n',
      '0\r\nx: y\n\r\n',
      '0\r\nx: y\r\n z\r\n\r\n',
      '0\r\nx: \0\r\n\r\n',
      '0\r\n\rx',
      `1;${'x'.repeat(16 * 1024)}\r\na`,
      `0\r\nx: ${'y'.repeat(16 * 1024)}\r\n\r\n`,
      '1;xxxxxxxxxxxxxxx\r\na\r\n'.repeat(1100),
    ].map((text) => [JSON.stringify(text).slice(0, 40), text]),
  )('%s is broken', (_, text = '') => {
    expect(read(text).end).toBe('broken')
  })

  it.each(['', '3', '3\r', '3\r\n', '3\r\nab', '3\r\nabc', '3\r\nabc\r\n0\r\n', '0\r\nX: y\r\n'])(
    '%j is not all of it',
    (text) => {
      expect(read(text).end).toBe('more')
    },
  )

  it('is the same in whatever pieces it comes, well formed or not', () => {
    const good = fc
      .array(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }))
      .map((parts) => parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join(''))
    const tails = fc.constantFrom('0\r\n\r\n', '0\r\nA: b\r\n\r\n', '0;x\r\n\r\nrest', '\n', 'zz')
    const cuts = fc.array(fc.nat(300), { maxLength: 12 })
    fc.assert(
      fc.property(good, tails, cuts, (body, tail, at) => {
        const bytes = Buffer.from(`${body}${tail}`, 'latin1')
        const ends = [...new Set(at.map((one) => one % (bytes.length + 1)))].sort((a, b) => a - b)
        const pieces = [...ends, bytes.length].map((end, index) =>
          bytes.subarray(index === 0 ? 0 : ends[index - 1], end),
        )
        expect(readAll(pieces)).toEqual(readAll([bytes]))
        expect(readAll([...bytes].map((byte) => Buffer.from([byte])))).toEqual(readAll([bytes]))
      }),
      { numRuns: 300 },
    )
  })

  it('is what was put into it', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, unit: 'binary-ascii' })), (parts) => {
        const chunks = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
        expect(read(`${chunks.join('')}0\r\n\r\n`).body).toBe(parts.join(''))
      }),
    )
  })
})
