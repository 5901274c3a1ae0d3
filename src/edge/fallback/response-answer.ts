import type { ServerResponse } from 'node:http'
import type { Answer, AnswerEnd, AnswerHead, WhyLeft } from '../request/answer.ts'
import { fieldsOf } from '../request/header-lines.ts'

/** An answer that node:http writes: it knows HEAD, chunks, and visitors that speak HTTP/1.0. */
export function createResponseAnswer(response: ServerResponse): Answer {
  let left: ((why: WhyLeft) => void) | undefined
  let over: ((end: AnswerEnd) => void) | undefined
  /** Somebody who was given the response itself may write its body. */
  let bytes: number | undefined
  const isOver = (): boolean => response.writableEnded || response.destroyed
  response.once('close', () => {
    if (!response.writableEnded) left?.('gone')
    const status = response.headersSent ? response.statusCode : 0
    over?.({ status, bytes, isWhole: response.writableFinished })
  })
  const begin = (head: AnswerHead): void => {
    if (isOver()) return
    bytes = 0
    if (head.isLast) response.setHeader('connection', 'close')
    response.writeHead(head.status, fieldsFor(head))
  }
  return {
    get isOver() {
      return isOver()
    },
    whenLeft: (then) => {
      left = then
    },
    whenOver: (then) => {
      over = then
    },
    send: (head, body) => {
      begin(head)
      if (isOver()) return
      bytes = body.length
      response.end(body)
    },
    begin,
    write: (piece) => {
      if (isOver()) return true
      bytes = (bytes ?? 0) + piece.length
      return response.write(piece)
    },
    whenDrained: (more) => {
      response.once('drain', more)
    },
    end: () => {
      if (!isOver()) response.end()
    },
    breakOff: () => response.destroy(),
  }
}

function fieldsFor({ status, lines, length }: AnswerHead): string[] {
  const fields = fieldsOf(lines).flat()
  // RFC 9110 §8.6: never with 204; with HEAD and 304, what a GET would have got.
  return length === 'unknown' || status === 204
    ? fields
    : [...fields, 'Content-Length', String(length)]
}
