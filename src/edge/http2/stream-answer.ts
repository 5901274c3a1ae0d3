import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Clock } from '../../kernel/index.ts'
import type { Answer, AnswerEnd, AnswerHead } from '../request/answer.ts'
import { fieldsOf } from '../request/header-lines.ts'

// RFC 9113 §8.1: where a body ends is the stream's own matter, so that nothing of HTTP/1.1's framing
// goes out; field names are in lower case (§8.2), and node:http2 adds the date.

/** An answer on a stream of HTTP/2. Others on the same connection do not notice it. */
export interface StreamAnswer extends Answer {
  /** 0 until its head is sent. */
  readonly status: number
  /** It will never be whole, and that was our doing. */
  readonly isBrokenOff: boolean
  /** Since when it waits for the visitor to read on; `undefined` while it does not wait. */
  stalledSince(): number | undefined
  /** The stream is gone; `isWhole` unless somebody has reset it. */
  close(how: { readonly isWhole: boolean }): void
}

export interface StreamAnswerHow {
  /** Whether HEAD was asked: then no body goes out. */
  readonly isHead: boolean
  readonly clock: Clock
  /** A backend's answer could not be written. */
  readonly onFailure: (error: unknown) => void
}

export function createStreamAnswer(
  stream: ServerHttp2Stream,
  { isHead, clock, onFailure }: StreamAnswerHow,
): StreamAnswer {
  let left: (() => void) | undefined
  let over: ((end: AnswerEnd) => void) | undefined
  let bytes = 0
  let status = 0
  let isOver = false
  let isBrokenOff = false
  let movedAt = 0

  const mayHaveBody = ({ status }: AnswerHead): boolean =>
    !isHead && status !== 204 && status !== 205 && status !== 304
  const isGone = (): boolean => isOver || stream.closed || stream.destroyed
  const open = (head: AnswerHead, endStream: boolean): boolean => {
    if (isGone()) return false
    try {
      stream.respond(fieldsFor(head), { endStream })
      status = head.status
      movedAt = clock.monotonicMs()
      return true
    } catch (error) {
      // A field that HTTP/2 cannot write. The visitor sees that there is no answer.
      onFailure(error)
      breakOff()
      return false
    }
  }
  const finish = (): void => {
    isOver = true
    // Answered before the body was here: the rest is not wanted (§8.1), and no fault.
    if (!stream.endAfterHeaders && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR)
  }
  const breakOff = (): void => {
    if (isOver) return
    isOver = true
    isBrokenOff = true
    // `close` would end the body properly before the reset: a part would be taken for the whole.
    stream.destroy(new BrokenOff())
  }

  return {
    get isOver() {
      return isGone()
    },
    get status() {
      return status
    },
    get isBrokenOff() {
      return isBrokenOff
    },
    whenLeft: (then) => {
      left = then
    },
    whenOver: (then) => {
      over = then
    },
    close: ({ isWhole }) => {
      if (!isOver) left?.()
      isOver = true
      over?.({ status, bytes, isWhole: isWhole && !isBrokenOff })
    },
    send: (head, body) => {
      const hasBody = body.length > 0 && mayHaveBody(head)
      if (!open(head, !hasBody)) return
      if (hasBody) {
        bytes = body.length
        stream.end(body)
      }
      finish()
    },
    begin: (head) => {
      open(head, !mayHaveBody(head))
    },
    write: (piece) => {
      if (isGone() || stream.writableEnded) return true
      bytes += piece.length
      if (stream.writableLength === 0) movedAt = clock.monotonicMs()
      return stream.write(piece)
    },
    whenDrained: (more) => {
      stream.once('drain', more)
    },
    end: () => {
      if (isGone()) return
      stream.end()
      finish()
    },
    breakOff,
    stalledSince: () => {
      const isWaiting =
        stream.writableLength > 0 || (stream.writableEnded && !stream.writableFinished)
      return isWaiting && stream.headersSent ? movedAt : undefined
    },
  }
}

/** Becomes INTERNAL_ERROR on the wire. */
class BrokenOff extends Error {
  override readonly name = 'BrokenOff'
}

function fieldsFor({ status, lines, length }: AnswerHead): string[] {
  const fields = [':status', String(status)]
  for (const [name, value] of fieldsOf(lines)) fields.push(name.toLowerCase(), value)
  // RFC 9110 §8.6: never with 204; with HEAD and 304, what a GET would have got.
  if (length !== 'unknown' && status !== 204) fields.push('content-length', String(length))
  return fields
}
