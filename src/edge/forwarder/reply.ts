import { BACKEND_INTERIM_MAX } from '../limits.ts'
import type { Answer, AnswerHead } from '../request/answer.ts'
import { createBodyReader, framingOf } from './body-framing.ts'
import type { BodyReader } from './body-reader.ts'
import { type ResponseHead, readResponseHead } from './response-head.ts'
import { restAfter } from './rest-plan.ts'

//  bytes ─► head (interim ones dropped) ─► framing ─► body ─┬─► all of it is here: send
//                                                           └─► begin ─► write … ─► end

/** What the bytes of a backend's connection have come to. */
export type ReplyState =
  | 'head' // the head is not complete
  | 'body' // the body is not complete
  | 'full' // the same, and the visitor takes no more at present
  | 'whole'
  | 'whole-and-more' // bytes that belong to no answer followed
  | 'broken'

/** One answer on its way from a backend to a visitor. */
export interface Reply {
  /** Takes bytes that are only lent: what is not passed on at once is copied. */
  receive(bytes: Buffer): ReplyState
  /** The backend says nothing more: `whole` if that is how the answer ends. */
  ended(): 'whole' | 'broken'
  /** Whether anything of it came in. Then the request must not be asked again. */
  readonly hasBytes: boolean
  /** Whether the visitor has seen anything of it. */
  readonly hasBegun: boolean
  /** How long the connection may rest before it is used again, once this is whole; 0: not at all. */
  readonly restMs: number
}

/** Passes what answers a request with `method` on to `answer`. */
export function createReply(answer: Answer, method: string): Reply {
  return new ReplyToVisitor(answer, method)
}

/** A class, because there is one for each request: its methods are made once. */
class ReplyToVisitor implements Reply {
  readonly #answer: Answer
  readonly #method: string
  /** What has come of a head that is not complete. */
  #start = NOTHING
  #interims = 0
  #head: AnswerHead | undefined
  #body: BodyReader | undefined
  #framing: 'none' | 'sized' | 'chunked' | 'until-close' = 'none'
  hasBytes = false
  hasBegun = false
  restMs = 0

  constructor(answer: Answer, method: string) {
    this.#answer = answer
    this.#method = method
  }

  receive(bytes: Buffer): ReplyState {
    this.hasBytes = true
    if (this.#head && this.#body) return this.#readBody(this.#head, this.#body, bytes, 0)
    return this.#readHead(this.#start.length === 0 ? bytes : Buffer.concat([this.#start, bytes]))
  }

  ended(): 'whole' | 'broken' {
    if (this.#framing !== 'until-close') return 'broken'
    this.#answer.end()
    return 'whole'
  }

  #readHead(bytes: Buffer): ReplyState {
    let from = 0
    for (;;) {
      const head = readResponseHead(from === 0 ? bytes : bytes.subarray(from))
      if (head.kind === 'broken') return 'broken'
      if (head.kind === 'incomplete') {
        this.#start = Buffer.from(bytes.subarray(from))
        return 'head'
      }
      from += head.size
      if (head.status >= 200) return this.#openBody(head, bytes, from)
      this.#interims += 1
      // 101: nobody asked for another protocol.
      if (head.status === 101 || this.#interims > BACKEND_INTERIM_MAX) return 'broken'
    }
  }

  #openBody(head: ResponseHead, bytes: Buffer, from: number): ReplyState {
    const framing = framingOf(head, this.#method)
    if (framing.kind === 'broken') return 'broken'
    const { status, lines, contentLength } = head
    const length = contentLength === undefined ? 'unknown' : Number(contentLength)
    this.#framing = framing.kind
    this.restMs = restAfter(head, framing)
    this.#head = { status, lines, length }
    this.#body = createBodyReader(framing)
    return this.#readBody(this.#head, this.#body, bytes, from)
  }

  #readBody(head: AnswerHead, body: BodyReader, bytes: Buffer, from: number): ReplyState {
    let copy = NOTHING
    let size = 0
    const end = body.read(bytes, from, (piece) => {
      if (size === 0) copy = Buffer.allocUnsafe(bytes.length - from)
      size += piece.copy(copy, size)
    })
    if (end === 'broken') return 'broken'
    const news = copy.subarray(0, size)
    if (end === 'more') return this.#passOn(head, news)
    this.#finish(head, news)
    return end === bytes.length ? 'whole' : 'whole-and-more'
  }

  #passOn(head: AnswerHead, news: Buffer): ReplyState {
    if (!this.hasBegun) {
      this.hasBegun = true
      this.#answer.begin(head)
    }
    return news.length === 0 || this.#answer.write(news) ? 'body' : 'full'
  }

  #finish(head: AnswerHead, rest: Buffer): void {
    if (this.hasBegun) {
      if (rest.length > 0) this.#answer.write(rest)
      this.#answer.end()
    } else if (this.#framing === 'chunked') {
      this.#answer.send({ ...head, length: rest.length }, rest)
    } else {
      this.#answer.send(head, rest)
    }
  }
}

const NOTHING = Buffer.alloc(0)
