import {
  constants,
  type Http2Session,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { Clock } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import {
  HEAD_BYTES_MAX,
  HEAD_FIELDS_MAX,
  HEAD_MS_MAX,
  HTTP2_INVALID_FRAMES_MAX,
  HTTP2_LINGER_MS,
  HTTP2_RESETS_AT_ONCE_MAX,
  HTTP2_SESSION_MB_MAX,
  HTTP2_STALLED_MS_MAX,
  HTTP2_STREAMS_MAX,
  KEEP_ALIVE_MS,
  REQUEST_MS_MAX,
  REQUESTS_PER_CONNECTION_MAX,
} from '../limits.ts'
import type { Connection } from '../request/connection.ts'
import type { Exchange } from '../request/exchange.ts'
import type { Http2BodyCarrier } from './body-carrier.ts'
import { createOverhead } from './overhead.ts'
import { judgeHttp2 } from './request-head.ts'
import { createStreamAnswer, type StreamAnswer } from './stream-answer.ts'

// RFC 9113 by nghttp2, through the plain API of node:http2: frames, compression and flow control are
// theirs; whose request it is and how much one connection may cost are ours. No push, no CONNECT.

export interface VisitDeps {
  readonly exchange: Exchange
  /** Where bodies go; absent with a backend in this process, which reads none. */
  readonly bodyCarrier?: Http2BodyCarrier | undefined
  readonly record: Pick<EdgeRecord, 'answered' | 'refused' | 'failed'>
  readonly clock: Clock
}

/** A connection that speaks HTTP/2. */
export interface Http2Visit {
  /** Ends what has had its time. Called about once a second. */
  enforceDeadlines(): void
  /**
   * Takes no more requests, and ends with the last answer. Where nothing was asked yet, the first
   * request is the last: a visitor who has just shaken hands is about to ask.
   */
  windDown(): void
  whenOver(over: () => void): void
}

/** A request under way. */
interface Turn {
  readonly stream: ServerHttp2Stream
  readonly answer: StreamAnswer
  readonly startedAt: number
}

/** Speaks HTTP/2 on a socket of which nothing has been read. */
export function openHttp2Visit(
  deps: VisitDeps,
  socket: Socket,
  connection: Connection,
): Http2Visit {
  const { record, clock } = deps
  const turns = new Set<Turn>()
  const overhead = createOverhead({ clock })
  let requests = 0
  let quietSince = clock.monotonicMs()
  let isWindingDown = false

  const session = performServerHandshake(socket, SESSION_OPTIONS)
  const linger = createLinger(socket)
  session.on('error', (error) => {
    const rule = ruleBrokenBy(error)
    if (rule) record.refused(rule)
  })
  // The sockets of the edge may be half open, which means nothing in HTTP/2: the visitor has left.
  socket.once('end', () => session.destroy())
  const weigh = (times: number): void => {
    if (session.destroyed || overhead.add(times)) return
    session.destroy(new TooMuchOverhead(), constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }
  session.on('ping', () => weigh(1))
  session.on('remoteSettings', () => weigh(1))
  const newlyUnreadable = createUnreadableCount(session)

  session.on('stream', (stream, headers, _flags, fields) => {
    const turn = beginTurn(deps, stream, headers)
    const { answer } = turn
    turns.add(turn)
    requests += 1
    stream.once('close', () => {
      turns.delete(turn)
      quietSince = clock.monotonicMs()
      const isWhole = stream.rstCode === constants.NGHTTP2_NO_ERROR
      if (isWhole && answer.status > 0) record.answered(answer.status, 'https')
      // What we broke off ourselves is no fault of the visitor's.
      if (!isWhole && !answer.isBrokenOff) weigh(1)
      answer.close({ isWhole })
    })
    if (isWindingDown || requests >= REQUESTS_PER_CONNECTION_MAX) session.close()
    // Reset in the same breath: nobody waits for it.
    if (!stream.closed && !stream.destroyed) serve(deps, turn, { fields, connection })
  })

  return {
    enforceDeadlines: () => {
      const now = clock.monotonicMs()
      if (session.destroyed) {
        linger(now)
        return
      }
      weigh(newlyUnreadable(requests))
      for (const turn of turns) if (isOverdue(turn, now)) turn.answer.giveUp()
      const quietMax = requests === 0 ? HEAD_MS_MAX : KEEP_ALIVE_MS
      if (turns.size === 0 && now - quietSince >= quietMax) session.close()
    },
    windDown: () => {
      isWindingDown = true
      if (requests > 0) session.close()
    },
    whenOver: (over) => session.once('close', over),
  }
}

/** Heads that are too long end before they are shown to us; but each has taken a number. */
function createUnreadableCount(session: Http2Session): (requests: number) => number {
  let known = 0
  return (requests) => {
    const all = Math.ceil((session.state.lastProcStreamID ?? 0) / 2) - requests
    const added = all - known
    known = all
    return added
  }
}

function beginTurn(
  { record, clock }: Pick<VisitDeps, 'record' | 'clock'>,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): Turn {
  // Of whom it was and why, `close` tells as well.
  stream.on('error', () => undefined)
  const answer = createStreamAnswer(stream, {
    isHead: headers[':method'] === 'HEAD',
    clock,
    onFailure: (error) => record.failed('answering over HTTP/2', error),
  })
  return { stream, answer, startedAt: clock.monotonicMs() }
}

/** Why a connection was closed that was more work than its requests. */
class TooMuchOverhead extends Error {
  override readonly name = 'TooMuchOverhead'
}

/** Visitors who leave without a word, or with a complaint about us, have broken no rule. */
function ruleBrokenBy(error: Error & { readonly code?: unknown }): string | undefined {
  if (error instanceof TooMuchOverhead) return 'http2-overhead'
  const isOfHttp2 = String(error.code).startsWith('ERR_HTTP2_')
  return isOfHttp2 && error.code !== 'ERR_HTTP2_SESSION_ERROR' ? 'http2-grammar' : undefined
}

/**
 * Ends what is left of a connection that is over, once it has had its time. The edge's sockets may be
 * half open: a visitor who never ends its side would keep its seat.
 */
function createLinger(socket: Socket): (now: number) => void {
  let since: number | undefined
  return (now) => {
    since ??= now
    const msMax = socket.writableFinished ? HTTP2_LINGER_MS : HTTP2_STALLED_MS_MAX
    if (now - since >= msMax) socket.destroy()
  }
}

const SESSION_OPTIONS = {
  settings: {
    enablePush: false,
    maxConcurrentStreams: HTTP2_STREAMS_MAX,
    maxHeaderListSize: HEAD_BYTES_MAX,
  },
  // Four pseudo-fields come on top.
  maxHeaderListPairs: HEAD_FIELDS_MAX + 4,
  maxSessionMemory: HTTP2_SESSION_MB_MAX,
  maxSessionInvalidFrames: HTTP2_INVALID_FRAMES_MAX,
  maxSessionRejectedStreams: HTTP2_STREAMS_MAX,
  streamResetBurst: HTTP2_RESETS_AT_ONCE_MAX,
  // What a backend repeats is the backend's business.
  strictSingleValueFields: false,
} as const

function serve(
  { exchange, bodyCarrier }: VisitDeps,
  { stream, answer }: Turn,
  { fields, connection }: { readonly fields: readonly string[]; readonly connection: Connection },
): void {
  const verdict = judgeHttp2(fields, connection, { endsHere: stream.endAfterHeaders })
  if (verdict.kind === 'refused') {
    // A stream ends where it ends, whatever it said: unlike in HTTP/1.1, the rest can be trusted.
    exchange.refuse(answer, { rule: verdict.rule, page: verdict })
    return
  }
  const { asked, length, expectsContinue } = verdict
  const isPlain = length === 0 && (asked.method === 'GET' || asked.method === 'HEAD')
  if (!bodyCarrier || isPlain) {
    exchange.serve(asked, answer)
    return
  }
  exchange.serve(asked, answer, (passage) =>
    bodyCarrier.carry(passage, { stream, length, expectsContinue }, answer),
  )
}

/** A body that does not come, or an answer that is not taken. */
function isOverdue({ stream, answer, startedAt }: Turn, now: number): boolean {
  const isSending = !stream.endAfterHeaders && !stream.readableEnded
  if (isSending && now - startedAt >= REQUEST_MS_MAX) return true
  const stalledSince = answer.stalledSince()
  return stalledSince !== undefined && now - stalledSince >= HTTP2_STALLED_MS_MAX
}
