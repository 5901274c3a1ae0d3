import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { BACKEND_FREE_SOCKETS_MAX, BACKEND_KEEP_ALIVE_MS } from '../limits.ts'
import type { Answer } from '../request/answer.ts'
import { linesForVisitor } from '../request/forwarded-headers.ts'
import { lastPageOf, type Page, sendWhole } from '../request/pages.ts'
import type { Passage } from '../request/passage.ts'
import type { BackendAddress } from './backend-address.ts'
import { type Errand, type Errands, reasonOf } from './errands.ts'

// Requests to the operator's servers that node:http writes and whose answers it reads: those with
// bodies, and those that leave HTTP. All that can go wrong ends here; nothing is tried twice.

//  start ─► connected ─► body sent ─► response ─► pieces, as the visitor reads ─► answered
//    └─ late, lost, no answer: page, or broken off

/** A request on its way, for its caller to send the body of. */
export interface Asking {
  readonly outgoing: ClientRequest
  readonly errand: Errand
  /** It will not be answered by the backend: shows the page, or breaks off what has begun. */
  giveUp(page: Page | undefined): void
}

/** Who asks, and for whom. */
export interface Question {
  readonly errands: Errands
  readonly passage: Passage
  readonly answer: Answer
  /** Where the body comes from; absent where there is none. */
  readonly source?: Readable
}

/** Asks a backend and has its answer passed on. `undefined`: none could be asked, and it is said. */
export function askBackend(
  { errands, passage, answer, source }: Question,
  optionsFor: (target: BackendAddress) => RequestOptions,
): Asking | undefined {
  let hasBegun = false
  const giveUp = (page: Page | undefined): void => {
    if (!answer.isOver) {
      if (hasBegun || !page) answer.breakOff()
      else sendWhole(answer, lastPageOf(page))
    }
    outgoing.destroy()
  }
  const errand = errands.start(passage, giveUp)
  if ('page' in errand) {
    sendWhole(answer, lastPageOf(errand.page))
    return undefined
  }
  const outgoing = request(optionsFor(errand.target))
  answer.whenLeft(() => {
    errand.end('abandoned')
    outgoing.destroy()
  })
  outgoing.on('socket', (socket) => {
    whenConnected(socket, () => watchSending(errand, source, () => hasBegun))
  })
  outgoing.on('error', (error) => {
    if (answer.isOver) errand.end('abandoned')
    else if (!errand.isOver) giveUp(errand.fail(hasBegun ? 'cut-short' : reasonOf(error)))
  })
  outgoing.on('response', (incoming) => {
    if (errand.isOver) incoming.destroy()
    else if (hasUsableStatus(incoming)) {
      hasBegun = true
      passOn(incoming, answer, errand)
    } else giveUp(errand.fail('broken-answer'))
  })
  return { outgoing, errand, giveUp }
}

export function whenConnected(socket: Socket, then: () => void): void {
  if (socket.connecting) socket.once('connect', then)
  else then()
}

/**
 * Says whose turn it is while a body is on its way: the visitor's to send, or, once it is all there
 * or no more is taken, the backend's.
 */
export function watchSending(
  errand: Errand,
  source: Readable | undefined,
  hasAnswer: () => boolean,
): void {
  const look = (): void => {
    if (hasAnswer()) return
    const isSent = !source || source.readableEnded || source.isPaused()
    errand.expects(isSent ? 'head' : 'visitor')
  }
  for (const event of SENDING) source?.on(event, look)
  look()
}

const SENDING = ['data', 'pause', 'resume', 'end'] as const

/** Says whose turn it is while an answer is on its way: the visitor's while it is paused. */
export function watchReading(errand: Errand, incoming: IncomingMessage): void {
  const look = (): void => errand.expects(incoming.isPaused() ? 'visitor' : 'piece')
  for (const event of ['data', 'pause', 'resume'] as const) incoming.on(event, look)
  look()
}

/** Less than 200 is not an answer, and what is no status at all would make node:http throw. */
export function hasUsableStatus({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode <= 599
}

/** The connections that are kept for requests with bodies. */
export function createAgent({ socketsMax }: { readonly socketsMax: number }): Agent {
  return new Agent({
    keepAlive: true,
    scheduling: 'lifo',
    maxSockets: socketsMax,
    maxFreeSockets: BACKEND_FREE_SOCKETS_MAX,
    timeout: BACKEND_KEEP_ALIVE_MS,
  })
}

/** Where node:http finds a backend. */
export function whereIs(address: BackendAddress): RequestOptions {
  return address.kind === 'tcp'
    ? { host: address.host, port: address.port }
    : { socketPath: address.path }
}

function passOn(incoming: IncomingMessage, answer: Answer, errand: Errand): void {
  const length = incoming.headers['content-length']
  answer.begin({
    status: incoming.statusCode ?? 0,
    lines: linesForVisitor(incoming.rawHeaders),
    length: length === undefined ? 'unknown' : Number(length),
  })
  incoming.on('data', (piece: Buffer) => {
    if (answer.write(piece)) return
    incoming.pause()
    answer.whenDrained(() => incoming.resume())
  })
  watchReading(errand, incoming)
  // Told by `close` as well.
  incoming.on('error', () => undefined)
  incoming.once('close', () => {
    if (incoming.complete) errand.end('answered')
    if (answer.isOver) return
    if (incoming.complete) answer.end()
    else {
      errand.fail('cut-short')
      answer.breakOff()
    }
  })
}
