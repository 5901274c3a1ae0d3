import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createReply } from '../../../../src/edge/forwarder/reply.ts'
import type { Answer, AnswerHead } from '../../../../src/edge/request/answer.ts'

/** What a visitor got of an answer that came in pieces, and how the last of them was taken. */
function readAll(pieces: readonly Buffer[], method: string) {
  const got = { status: 0, lines: '', body: '', isEnded: false }
  const begin = ({ status, lines }: AnswerHead) => Object.assign(got, { status, lines })
  const answer: Answer = {
    isOver: false,
    whenLeft: () => undefined,
    whenOver: () => undefined,
    send: (head, body) => {
      begin(head)
      got.body += body.toString('latin1')
      got.isEnded = true
    },
    begin,
    write: (piece) => {
      got.body += piece.toString('latin1')
      return true
    },
    whenDrained: () => undefined,
    end: () => {
      got.isEnded = true
    },
    breakOff: () => undefined,
  }
  const reply = createReply(answer, method)
  for (const [index, piece] of pieces.entries()) {
    // A buffer that is read into again: what is kept of it must have been copied.
    const lent = Buffer.from(piece)
    const state = reply.receive(lent)
    lent.fill('!')
    if (state === 'broken') return { state }
    if (state === 'whole' || state === 'whole-and-more') {
      return { state: index < pieces.length - 1 ? 'whole-and-more' : state, ...got }
    }
  }
  return { state: reply.ended(), ...got }
}

const interim = fc.constantFrom('', 'HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n')
const head = fc.constantFrom(
  'HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 6\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: x\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\n',
  'HTTP/1.1 304 -\r\nContent-Length: 6\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 6\r\n\r\n',
)
const body = fc.constantFrom(
  '',
  'abcdef',
  'abc',
  '3\r\nabc\r\n0\r\n\r\n',
  '3\r\nabcd\r\n',
  'abcdefmore',
)

it('passes on the same of an answer, whatever pieces it comes in', () => {
  const texts = fc.tuple(interim, interim, head, body).map((parts) => parts.join(''))
  const cuts = fc.array(fc.nat(120), { maxLength: 9 })
  const methods = fc.constantFrom('GET', 'HEAD')
  fc.assert(
    fc.property(texts, cuts, methods, (text, at, method) => {
      const bytes = Buffer.from(text, 'latin1')
      const ends = [...new Set(at.map((one) => one % bytes.length))].sort((a, b) => a - b)
      const pieces = [...ends, bytes.length]
        .map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end))
        .filter(({ length }) => length > 0)
      expect(readAll(pieces, method)).toEqual(readAll([bytes], method))
    }),
    { numRuns: 1500 },
  )
})
