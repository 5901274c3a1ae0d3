import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { askBackend, whereIs } from '../backend/backend-client.ts'
import type { Errands } from '../backend/errands.ts'
import { TUNNEL_IDLE_MS_MAX } from '../limits.ts'
import type { Answer } from '../request/answer.ts'
import { type HeaderFields, linesForVisitor } from '../request/forwarded-headers.ts'
import type { Passage } from '../request/passage.ts'

// RFC 9110 §7.8 and RFC 6455 §4: a request to change to WebSocket, and what follows when the backend
// agrees. From then on the two connections are one, and there is nothing left to say but its end.

/** The visitor's end of a tunnel that may come about. */
export interface TunnelWish {
  readonly socket: Duplex
  /** What came behind the request. */
  readonly head: Buffer
  /** For whatever the backend says instead. */
  readonly answer: Answer
}

/** Asks a backend for a tunnel; any answer but 101 goes to the visitor like every other answer. */
export function openTunnel(
  { errands, passage, headers }: TunnelRequest,
  { socket, head, answer }: TunnelWish,
): void {
  const asking = askBackend({ errands, passage, answer }, (target) => ({
    ...whereIs(target),
    // A connection of its own: one that was at rest may be about to close, and this one never rests.
    agent: false,
    path: passage.target,
    headers,
  }))
  if (!asking) return
  const { outgoing, errand, giveUp } = asking
  outgoing.on('upgrade', (incoming, backend, first) => {
    backend.on('error', () => backend.destroy())
    if (errand.isOver || socket.destroyed) {
      backend.destroy()
    } else if (isWebSocket(incoming)) {
      errand.endAsTunnel(backend)
      answer.whenLeft(() => undefined)
      socket.write(headOf(incoming), 'latin1')
      if (first.length > 0) backend.unshift(first)
      if (head.length > 0) socket.unshift(head)
      join(socket, backend)
    } else {
      backend.destroy()
      giveUp(errand.fail('broken-answer'))
    }
  })
  outgoing.end()
}

/** A request for a tunnel, as the backend gets it. */
export interface TunnelRequest {
  readonly errands: Errands
  readonly passage: Passage
  readonly headers: HeaderFields
}

function isWebSocket({ statusCode, headers }: IncomingMessage): boolean {
  return statusCode === 101 && headers.upgrade?.toLowerCase() === 'websocket'
}

function headOf({ rawHeaders }: IncomingMessage): string {
  const own = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
  return `HTTP/1.1 101 Switching Protocols\r\n${linesForVisitor(rawHeaders)}${own}\r\n`
}

type Ended = Duplex & { setTimeout?: (ms: number, then: () => void) => void }

/** Who ends in order has the other end in order, too; who breaks takes the other along. */
function join(visitor: Ended, backend: Duplex): void {
  const breakBoth = (): void => {
    visitor.destroy()
    backend.destroy()
  }
  for (const [one, other] of [
    [visitor, backend],
    [backend, visitor],
  ] as const) {
    one.on('error', breakBoth)
    one.once('close', () => {
      if (!one.readableEnded) other.destroy()
    })
    one.pipe(other)
  }
  visitor.setTimeout?.(TUNNEL_IDLE_MS_MAX, breakBoth)
}
