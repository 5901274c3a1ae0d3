import type { ConnectionOptions } from 'node:tls'
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  hpack,
  openRawHttp2,
  PREFACE,
} from '../http2-frames.ts'
import type { Stream } from './payload.ts'

/** What a visitor got on the streams of one HTTP/2 connection, in the order they were opened. */
export interface StreamsVisit {
  readonly answers: readonly StreamAnswer[]
  /** Some streams are open and so is the connection. */
  readonly isStuck: boolean
}

export interface StreamAnswer {
  /** Of the request that a backend says this is the answer to. */
  readonly serial: number | undefined
  /** It has come to its end, and was not broken off. */
  readonly isWhole: boolean
}

/** Where streams are sent, and from which address. */
export interface StreamsSending {
  readonly port: number
  readonly servername: string
  readonly from: string
  readonly streams: readonly Stream[]
}

/** Neither an answer nor a close for this long is a fault, not a slow machine. */
const STUCK_MS = 8000

/** Opens all streams at once and reads until each has ended, or the connection has. */
export async function visitStreams(sending: StreamsSending): Promise<StreamsVisit> {
  const { port, servername, from, streams } = sending
  const place: ConnectionOptions & { readonly localAddress: string } = { localAddress: from }
  await using raw = await openRawHttp2(port, servername, place)
  const stuck = Promise.withResolvers<'stuck'>()
  const timer = setTimeout(() => stuck.resolve('stuck'), STUCK_MS)
  raw.send(PREFACE, ...streams.flatMap((stream, index) => framesOf(stream, idOf(index))))
  const ended = Promise.all(
    streams.map((_, index) =>
      raw.until(
        ({ type, flags, stream }) =>
          stream === idOf(index) &&
          (type === FRAME.reset || (type !== FRAME.windowUpdate && (flags & END_STREAM) !== 0)),
      ),
    ),
  ).catch(() => 'closed' as const)
  const how = await Promise.race([ended, raw.closed, stuck.promise])
  clearTimeout(timer)
  const answers = streams.map((_, index): StreamAnswer => {
    const mine = (type: number) => raw.frames(type).filter(({ stream }) => stream === idOf(index))
    const text = Buffer.concat(mine(FRAME.data).map(({ payload }) => payload)).toString('latin1')
    const serial = /^saw (\d+)$/.exec(text)?.[1]
    const isWhole = [...mine(FRAME.headers), ...mine(FRAME.data)].some(
      ({ flags }) => (flags & END_STREAM) !== 0,
    )
    return { serial: serial === undefined ? undefined : Number(serial), isWhole }
  })
  return { answers, isStuck: how === 'stuck' }
}

function idOf(index: number): number {
  return 2 * index + 1
}

function framesOf({ fields, body, trailers }: Stream, id: number): readonly Buffer[] {
  const end = (isLast: boolean): number => (isLast ? END_STREAM : 0)
  const head = frame(FRAME.headers, END_HEADERS | end(body === undefined), id, hpack(fields))
  if (body === undefined) return [head]
  const data = frame(FRAME.data, end(trailers === undefined), id, Buffer.from(body, 'latin1'))
  if (trailers === undefined) return [head, data]
  return [head, data, frame(FRAME.headers, END_HEADERS | END_STREAM, id, hpack(trailers))]
}
