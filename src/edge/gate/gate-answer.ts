import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Answer, AnswerEnd, AnswerHead, WhyLeft } from '../request/answer.ts'

// RFC 9112 §6: where an answer ends. Its length is announced, or it goes out in chunks; there are no
// trailers, and no answers whose end is the end of the connection.

/** The connection that an answer goes out on, as far as the answer needs to know it. */
export interface Wire {
  readonly socket: Duplex
  /** Whether no request will be taken after this one. Asked when the head is written. */
  isEnding(): boolean
  /** The value of a Date field. */
  date(): string
  /** Has `writeWhole` called at the end of this turn of the event loop, or of the next if this one is ending. */
  writeSoon(answer: Pick<GateAnswer, 'writeWhole'>): void
  /** Called once: the whole answer is on its way, or never will be (`broken`). */
  done(how: HowDone): void
}

/** How an answer left its writer. After `last` and `broken` the connection is not to be used. */
export interface HowDone {
  readonly status: number
  readonly end: 'kept' | 'last' | 'broken'
}

/** Writes one answer of HTTP/1.1. Whoever made it says when its visitor has left. */
export interface GateAnswer extends Answer {
  /** Writes what was sent as a whole, if it is not written yet. */
  writeWhole(): void
  /** The connection is gone. */
  leave(): void
}

export function createGateAnswer(wire: Wire, method: string): GateAnswer {
  return new AnswerOnWire(wire, method)
}

/** Bodies up to this many bytes are copied behind their heads, so that both go out as one write. */
const COPIED_BYTES_MAX = 64 * 1024
const LAST_CHUNK = Buffer.from('0\r\n\r\n')

class AnswerOnWire implements GateAnswer {
  readonly #wire: Wire
  readonly #method: string
  #left: ((why: WhyLeft) => void) | undefined
  #over: ((end: AnswerEnd) => void) | undefined
  #bodyBytes = 0
  #status = 0
  #framing: 'length' | 'chunks' | 'no-body' = 'length'
  #isLast = false
  #isOver = false
  /** Sent, and written at the end of the turn together with what others are sent. */
  #whole: { readonly head: AnswerHead; readonly body: Buffer } | undefined

  constructor(wire: Wire, method: string) {
    this.#wire = wire
    this.#method = method
  }

  get isOver(): boolean {
    return this.#isOver
  }

  whenLeft(left: (why: WhyLeft) => void): void {
    this.#left = left
  }

  whenOver(over: (end: AnswerEnd) => void): void {
    this.#over = over
  }

  leave(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#left?.('gone')
    this.#tellEnd(false)
  }

  send(head: AnswerHead, body: Buffer): void {
    if (this.#isSaid()) return
    this.#whole = { head, body }
    this.#wire.writeSoon(this)
  }

  writeWhole(): void {
    if (this.#isOver || !this.#whole) return
    if (this.#wire.socket.destroyed) {
      this.leave()
      return
    }
    const { head, body } = this.#whole
    const text = this.#headText(head)
    const { socket } = this.#wire
    if (this.#framing === 'no-body' || body.length === 0) {
      socket.write(text, 'latin1')
    } else if (body.length <= COPIED_BYTES_MAX) {
      this.#bodyBytes = body.length
      const bytes = Buffer.allocUnsafe(text.length + body.length)
      bytes.write(text, 'latin1')
      body.copy(bytes, text.length)
      socket.write(bytes)
    } else {
      this.#bodyBytes = body.length
      socket.write(text, 'latin1')
      socket.write(body)
    }
    this.#finish()
  }

  begin(head: AnswerHead): void {
    if (!this.#isSaid()) this.#wire.socket.write(this.#headText(head), 'latin1')
  }

  write(piece: Buffer): boolean {
    if (this.#isSaid() || this.#framing === 'no-body' || piece.length === 0) return true
    const { socket } = this.#wire
    this.#bodyBytes += piece.length
    if (this.#framing === 'length') return socket.write(piece)
    socket.cork()
    socket.write(`${piece.length.toString(16)}\r\n`, 'latin1')
    socket.write(piece)
    const mayGoOn = socket.write('\r\n', 'latin1')
    socket.uncork()
    return mayGoOn
  }

  whenDrained(more: () => void): void {
    this.#wire.socket.once('drain', more)
  }

  end(): void {
    if (this.#isSaid()) return
    if (this.#framing === 'chunks') this.#wire.socket.write(LAST_CHUNK)
    this.#finish()
  }

  breakOff(): void {
    if (this.#isSaid()) return
    this.#isOver = true
    this.#tellEnd(false)
    this.#wire.done({ status: this.#status, end: 'broken' })
  }

  /** Nothing can be added: it is over, or is as a whole about to be written. */
  #isSaid(): boolean {
    return this.#isOver || this.#whole !== undefined
  }

  #finish(): void {
    this.#isOver = true
    this.#tellEnd(true)
    this.#wire.done({ status: this.#status, end: this.#isLast ? 'last' : 'kept' })
  }

  #tellEnd(isWhole: boolean): void {
    this.#over?.({ status: this.#status, bytes: this.#bodyBytes, isWhole })
    // Its connection outlives the request, which is not to be kept with it.
    this.#over = undefined
    this.#left = undefined
    this.#whole = undefined
  }

  #headText({ status, lines, length, isLast }: AnswerHead): string {
    this.#status = status
    this.#isLast = isLast === true || this.#wire.isEnding()
    const hasBody = this.#method !== 'HEAD' && status !== 204 && status !== 304
    if (!hasBody) this.#framing = 'no-body'
    else if (length === 'unknown') this.#framing = 'chunks'
    const date = HAS_DATE.test(lines) ? '' : `Date: ${this.#wire.date()}\r\n`
    const connection = this.#isLast ? 'Connection: close\r\n' : ''
    return `${statusLineOf(status)}${lines}${date}${this.#framingLine(status, length)}${connection}\r\n`
  }

  #framingLine(status: number, length: AnswerHead['length']): string {
    // RFC 9110 §8.6: never with 204; with HEAD and 304, what a GET would have got.
    if (status === 204) return ''
    if (length !== 'unknown') return `Content-Length: ${length}\r\n`
    return this.#framing === 'chunks' ? 'Transfer-Encoding: chunked\r\n' : ''
  }
}

const HAS_DATE = /^date:/im

function statusLineOf(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`
}
