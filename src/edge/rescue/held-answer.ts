import type { Answer, AnswerEnd, AnswerHead, WhyLeft } from '../request/answer.ts'
import type { WholeAnswer } from '../request/pages.ts'

//            a good answer is whole, or too long
//   held ───────────────────────────────────────────► released   what came, and what comes, goes on
//     │                                                  ▲
//     └─ failed ─► disputed ─┬─ no link of ours ─────────┘
//                            └─ answered by us ──────► replaced   what comes is dropped

/** How a backend let its visitor down. Stable: a label of the metrics. */
export type LetDown = 'error-answer' | 'cut-short' | 'too-slow'

/** Hears what becomes of an answer that is held. */
export interface HeldAnswerOwner {
  /** All of it is there, and it went on to the visitor; or so much that it had to. */
  wentWell(): void
  /** Called at most once. MUST lead to `release` or `replace`. */
  letDown(how: LetDown): void
}

/** Of an answer that may still be replaced: a redirect is 1 KB, a pixel 43 bytes, an error page a few. */
const HELD_BYTES_MAX = 64 * 1024

/** An answer that reaches its visitor as a whole, or can be replaced by another one. */
export class HeldAnswer implements Answer {
  readonly #answer: Answer
  readonly #owner: HeldAnswerOwner
  #state: 'held' | 'disputed' | 'released' | 'replaced' = 'held'
  #head: AnswerHead | undefined
  #pieces: Buffer[] = []
  #bytes = 0
  #end: 'open' | 'whole' | 'broken-off' = 'open'
  #left: ((why: WhyLeft) => void) | undefined
  #more: (() => void) | undefined
  #isLate = false

  constructor(answer: Answer, owner: HeldAnswerOwner) {
    this.#answer = answer
    this.#owner = owner
  }

  get isOver(): boolean {
    return this.#state === 'replaced' || this.#answer.isOver
  }

  whenLeft(left: (why: WhyLeft) => void): void {
    this.#left = left
    this.#answer.whenLeft(left)
  }

  whenOver(over: (end: AnswerEnd) => void): void {
    this.#answer.whenOver(over)
  }

  send(head: AnswerHead, body: Buffer): void {
    if (this.#state === 'held' && isGood(head)) {
      this.#state = 'released'
      this.#answer.send(head, body)
      this.#owner.wentWell()
      return
    }
    this.begin(head)
    if (body.length > 0) this.write(body)
    this.end()
  }

  begin(head: AnswerHead): void {
    if (this.#state === 'released') this.#answer.begin(head)
    else this.#head = head
    if (this.#state !== 'held') return
    if (!isGood(head)) this.#dispute('error-answer')
    else if (head.length !== 'unknown' && head.length > HELD_BYTES_MAX) this.#goOn()
  }

  write(piece: Buffer): boolean {
    if (this.#state === 'released') return this.#answer.write(piece)
    if (this.#state === 'replaced') return true
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes <= HELD_BYTES_MAX) return true
    if (this.#state === 'disputed') return false
    return this.#goOn()
  }

  whenDrained(more: () => void): void {
    if (this.#state === 'released') this.#answer.whenDrained(more)
    else this.#more = more
  }

  end(): void {
    this.#end = 'whole'
    if (this.#state === 'released') this.#answer.end()
    if (this.#state === 'held') this.#goOn()
  }

  breakOff(): void {
    this.#end = 'broken-off'
    if (this.#state === 'released') this.#answer.breakOff()
    if (this.#state === 'held') this.#dispute('cut-short')
  }

  /** Nothing whole has come in time. */
  expire(): void {
    if (this.#state === 'held' && !this.#answer.isOver) this.#dispute('too-slow')
  }

  /** Passes on what has come, as it came. False: the visitor takes no more at present. */
  release(): boolean {
    this.#state = 'released'
    if (!this.#head) {
      if (this.#end === 'broken-off') this.#answer.breakOff()
      return true
    }
    this.#answer.begin(this.#head)
    let isFlowing = true
    for (const piece of this.#pieces) isFlowing = this.#answer.write(piece)
    this.#pieces = []
    if (this.#end === 'whole') this.#answer.end()
    else if (this.#end === 'broken-off') this.#answer.breakOff()
    else if (this.#more && isFlowing) this.#more()
    else if (this.#more) this.#answer.whenDrained(this.#more)
    return isFlowing
  }

  /** Answers in place of the backend, which need not go on. */
  replace({ head, body }: WholeAnswer): void {
    this.#state = 'replaced'
    this.#pieces = []
    this.#answer.whenLeft(() => undefined)
    if (this.#end === 'open') this.#left?.(this.#isLate ? 'too-slow' : 'gone')
    if (!this.#answer.isOver) this.#answer.send(head, body)
  }

  #dispute(how: LetDown): void {
    this.#state = 'disputed'
    this.#isLate = how === 'too-slow'
    this.#owner.letDown(how)
  }

  #goOn(): boolean {
    const isFlowing = this.release()
    this.#owner.wentWell()
    return isFlowing
  }
}

function isGood({ status }: AnswerHead): boolean {
  return status < 500
}
