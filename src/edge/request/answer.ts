import type { HeaderLines } from './header-lines.ts'

//  send                          a whole answer in one piece, or
//  begin ─► write … ─► end       one that comes in pieces
//                  └─► breakOff  … and does not come to its end

/** The head of an answer, before the connection it goes out on has added its own fields. */
export interface AnswerHead {
  readonly status: number
  /** Without Content-Length, Transfer-Encoding, Connection and other fields of one connection. */
  readonly lines: HeaderLines
  /** Bytes of the body; for HEAD and 304, those that a GET would have had. */
  readonly length: number | 'unknown'
  /** The connection is not to be used after this: what follows on it is not trusted. */
  readonly isLast?: boolean
}

/** How an answer ended. */
export interface AnswerEnd {
  /** 0: its head was never sent. */
  readonly status: number
  /** Of its body; `undefined` where somebody else wrote it. */
  readonly bytes: number | undefined
  /** All of it was written, and the visitor was still there. */
  readonly isWhole: boolean
}

/** `too-slow`: the visitor is there, and was answered without whoever is at work. */
export type WhyLeft = 'gone' | 'too-slow'

/**
 * Where one answer goes: a connection read by the gate, by node:http, or a stream of HTTP/2. Knows
 * how its visitor is told where a body ends, and that HEAD, 204 and 304 have none.
 */
export interface Answer {
  /** It is complete, or the visitor has left: what is written now goes nowhere. */
  readonly isOver: boolean
  /** Calls back at most once, if nobody waits for it any more before the end. The last caller counts. */
  whenLeft(left: (why: WhyLeft) => void): void
  /** Calls back once, when it is over, however it ended. The last caller counts. */
  whenOver(over: (end: AnswerEnd) => void): void
  send(head: AnswerHead, body: Buffer): void
  begin(head: AnswerHead): void
  /** Adds to the body. False: wait for `whenDrained` before the next piece. */
  write(piece: Buffer): boolean
  /** Calls back once, when more can be written. */
  whenDrained(more: () => void): void
  /** The body is complete. MUST only be called when it is as long as was announced. */
  end(): void
  /** The rest will never come: the visitor is shown that this is not the whole answer. */
  breakOff(): void
}
