import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Clock } from '../../kernel/index.ts'
import type { Answer, AnswerEnd, AnswerHead, WhyLeft } from '../request/answer.ts'
import { fieldsOf } from '../request/header-lines.ts'

// RFC 9113 §8.1: where a body ends is the stream's own matter, so that nothing of HTTP/1.1's framing
// goes out; field names are in lower case (§8.2), and node:http2 adds the date.

/** An answer on a stream of HTTP/2. Others on the same connection do not notice it. */
export interface StreamAnswer extends Answer {
  /** 0 until its head is sent. */
  readonly status: number
  /** It will never be whole, and that was our doing. */
  readonly isBrokenOff: boolean
  /**
   * Since when it waits for the visitor to read on; `undefined` while it does not wait. What has moved
   * is found out by asking: to be called about once a second.
   */
  stalledSince(): number | undefined
  /** Ends the stream, also where only the visitor's reading is missing. */
  giveUp(): void
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

export function createStreamAnswer(stream: ServerHttp2Stream, how: StreamAnswerHow): StreamAnswer {
  return new AnswerOnStream(stream, how)
}

class AnswerOnStream implements StreamAnswer {
  readonly #stream: ServerHttp2Stream
  readonly #how: StreamAnswerHow
  #left: ((why: WhyLeft) => void) | undefined
  #over: ((end: AnswerEnd) => void) | undefined
  #bytes = 0
  #status = 0
  #isOver = false
  #isBrokenOff = false
  #movedAt = 0
  /** Bytes of the body that had left when somebody last looked. */
  #leftBytes = 0

  constructor(stream: ServerHttp2Stream, how: StreamAnswerHow) {
    this.#stream = stream
    this.#how = how
  }

  get isOver(): boolean {
    return this.#isOver || this.#stream.closed || this.#stream.destroyed
  }

  get status(): number {
    return this.#status
  }

  get isBrokenOff(): boolean {
    return this.#isBrokenOff
  }

  whenLeft(left: (why: WhyLeft) => void): void {
    this.#left = left
  }

  whenOver(over: (end: AnswerEnd) => void): void {
    this.#over = over
  }

  send(head: AnswerHead, body: Buffer): void {
    const hasBody = body.length > 0 && this.#mayHaveBody(head)
    if (!this.#open(head, hasBody)) return
    if (hasBody) {
      this.#bytes = body.length
      this.#stream.end(body)
    }
    this.#finish()
  }

  begin(head: AnswerHead): void {
    this.#open(head, this.#mayHaveBody(head))
  }

  write(piece: Buffer): boolean {
    if (this.isOver || this.#stream.writableEnded) return true
    this.#bytes += piece.length
    if (this.#stream.writableLength === 0) this.#hasMoved()
    return this.#stream.write(piece)
  }

  whenDrained(more: () => void): void {
    this.#stream.once('drain', more)
  }

  end(): void {
    if (this.isOver) return
    this.#stream.end()
    this.#finish()
  }

  breakOff(): void {
    if (!this.#isOver) this.#reset()
  }

  giveUp(): void {
    const left = this.#isOver ? undefined : this.#left
    this.#reset()
    left?.('gone')
  }

  stalledSince(): number | undefined {
    const { headersSent, writableLength, writableEnded, writableFinished } = this.#stream
    const isWaiting = writableLength > 0 || (writableEnded && !writableFinished)
    const leftBytes = this.#bytes - writableLength
    if (leftBytes !== this.#leftBytes) this.#hasMoved()
    this.#leftBytes = leftBytes
    return isWaiting && headersSent ? this.#movedAt : undefined
  }

  close({ isWhole }: { readonly isWhole: boolean }): void {
    if (!this.#isOver) this.#left?.('gone')
    this.#isOver = true
    const end = { status: this.#status, bytes: this.#bytes }
    this.#over?.({ ...end, isWhole: isWhole && !this.#isBrokenOff })
  }

  #hasMoved(): void {
    this.#movedAt = this.#how.clock.monotonicMs()
  }

  #mayHaveBody({ status }: AnswerHead): boolean {
    return !this.#how.isHead && status !== 204 && status !== 205 && status !== 304
  }

  #open(head: AnswerHead, hasBody: boolean): boolean {
    if (this.isOver) return false
    try {
      this.#stream.respond(fieldsFor(head), { endStream: !hasBody })
      this.#status = head.status
      this.#hasMoved()
      return true
    } catch (error) {
      // A field that HTTP/2 cannot write. The visitor sees that there is no answer, and whoever has
      // more of it to come is told that nobody waits.
      this.#how.onFailure(error)
      this.giveUp()
      return false
    }
  }

  #finish(): void {
    this.#isOver = true
    const { endAfterHeaders, readableEnded } = this.#stream
    // Answered before the body was here: the rest is not wanted (§8.1), and no fault.
    if (!endAfterHeaders && !readableEnded) this.#stream.close(constants.NGHTTP2_NO_ERROR)
  }

  #reset(): void {
    this.#isOver = true
    this.#isBrokenOff = true
    // `close` would end the body properly before the reset: a part would be taken for the whole.
    this.#stream.destroy(new BrokenOff())
  }
}

/** Becomes INTERNAL_ERROR on the wire. */
class BrokenOff extends Error {
  override readonly name = 'BrokenOff'
}

function fieldsFor({ status, lines, length }: AnswerHead): string[] {
  const fields = [':status', String(status)]
  for (const [name, value] of fieldsOf(lines)) fields.push(name.toLowerCase(), value)
  // RFC 9110 §8.6: never with 204; with HEAD and 304, what a GET would have got. §15.3.6: 205 has none.
  if (status === 205) fields.push('content-length', '0')
  else if (length !== 'unknown' && status !== 204) fields.push('content-length', String(length))
  return fields
}
