import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { Reader } from '../gate/gate.ts'
import {
  DEADLINE_CHECK_MS,
  HEAD_BYTES_MAX,
  HEAD_MS_MAX,
  KEEP_ALIVE_MS,
  REQUEST_MS_MAX,
  REQUESTS_PER_CONNECTION_MAX,
  SOCKET_IDLE_MS_MAX,
} from '../limits.ts'
import { type Page, writeLastPage } from '../request/pages.ts'
import { createFarewell } from './farewell.ts'
import { createServing, type ServingDeps } from './serving.ts'
import { createTurns, type Visit } from './turns.ts'

export interface FallbackDeps extends ServingDeps {
  readonly record: Pick<EdgeRecord, 'answered' | 'refused'>
  readonly clock: Clock
}

/**
 * Reads the full grammar of HTTP/1.1 with node:http: bodies, chunks, upgrades, pipelining. What it
 * accepts is judged again (`request-rules`), because it accepts too much. Takes connections of
 * which no byte has been read, or whose bytes were put back.
 */
export interface Fallback extends Reader {
  /** From now on every answer is its connection's last; idle connections are closed. */
  windDown(): void
  /** Ends the watch over deadlines. The connections are the listeners' to end. */
  close(): void
}

export function createFallback(deps: FallbackDeps): Fallback {
  const { record } = deps
  const { serve, upgrade } = createServing(deps)
  const turns = createTurns({ serve, record })
  const farewell = createFarewell(deps.clock)
  const visits = new WeakMap<Duplex, Visit>()
  /** Those that speak HTTP. */
  const open = new Map<Socket, Visit>()
  const visitOf = (socket: Duplex): Visit => {
    const visit = visits.get(socket)
    if (!visit) throw new TypeError('A request came over a connection that was never taken.')
    return visit
  }

  const server = createReader(upgrade ? 'tunnelled' : 'ignored')
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) {
    server.on(event, (request, response) => {
      turns.enqueue(visitOf(request.socket), { request, response })
    })
  }
  // With a body that is still to come, `socket` is a stream that node:http put around the request's.
  server.on('upgrade', (request, socket, head) => {
    open.delete(request.socket)
    const { connection } = leaveHttp(socket, visitOf(request.socket))
    if (!socket.destroyed) upgrade?.({ request, socket, head }, connection)
  })
  server.on('connect', (request, socket) => {
    open.delete(request.socket)
    leaveHttp(socket, visitOf(request.socket))
    record.refused('method')
    writeLastPage(socket, { status: 405, sentence: 'CONNECT is not allowed here.' })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const page = pageOf(error.code)
    const visit = visits.get(socket)
    if (!page) socket.destroy()
    else if (visit && visit.waiting.length > 0) breakOff(visit, socket)
    else {
      record.refused('grammar')
      writeLastPage(socket, page)
    }
  })
  watchDeadlines(server)

  return {
    take: (socket, connection) => {
      const visit: Visit = { connection, waiting: [], isBroken: false, readBytes: undefined }
      visits.set(socket, visit)
      open.set(socket, visit)
      socket.once('close', () => open.delete(socket))
      farewell.arrange(socket, () => visit.waiting[0]?.request.complete === false)
      server.emit('connection', socket)
    },
    windDown: () => {
      turns.windDown()
      for (const [socket, visit] of open) if (isIdle(socket, visit)) socket.destroy()
    },
    close: () => server.close(),
  }
}

function createReader(upgrades: 'tunnelled' | 'ignored'): Server {
  const server = createServer({
    maxHeaderSize: HEAD_BYTES_MAX,
    headersTimeout: HEAD_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: DEADLINE_CHECK_MS,
    // Judged by our rules, which also say so.
    requireHostHeader: false,
    shouldUpgradeCallback: ({ method, headers }) =>
      upgrades === 'tunnelled' &&
      method === 'GET' &&
      headers.upgrade?.toLowerCase() === 'websocket',
  })
  // By default Node drops the fields beyond a count in silence: a second Host could hide there.
  server.maxHeadersCount = 0
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION_MAX
  server.setTimeout(SOCKET_IDLE_MS_MAX)
  return server
}

/**
 * node:http keeps its list of connections, and so the deadlines of heads and requests, from the
 * moment it listens. This one never does: connections are given to it.
 */
function watchDeadlines(server: Server): void {
  server.emit('listening')
}

/**
 * Nothing is asked, and the last answer has left this process: node:http's own list of idle
 * connections has those as well whose answer waits in the socket to be read.
 */
function isIdle({ bytesRead, writableLength }: Socket, { waiting, readBytes }: Visit): boolean {
  return waiting.length === 0 && writableLength === 0 && bytesRead === readBytes
}

/**
 * node:http lets go of a socket that leaves HTTP, and an error nobody hears would end the process.
 * While an answer is under way the two would get mixed up on the wire: then the visit ends.
 */
function leaveHttp(socket: Duplex, visit: Visit): Visit {
  socket.on('error', () => socket.destroy())
  if (visit.waiting.length > 0) socket.destroy()
  return visit
}

/** In the middle of an answer a page would become part of it: the answer ends, then the visit. */
function breakOff(visit: Visit, socket: Duplex): void {
  visit.isBroken = true
  const [turn] = visit.waiting
  // The broken bytes are its own body: it will never be whole.
  if (turn && !turn.request.complete && !turn.response.writableEnded) socket.destroy()
}

/** What to say to bytes that are not HTTP; `undefined`: nobody is there to read it. */
function pageOf(code: string | undefined): Page | undefined {
  switch (code ?? '') {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, sentence: `A request's head ends at ${HEAD_BYTES_MAX} bytes here.` }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, sentence: 'The chunk extensions are too long.' }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, sentence: 'The request did not arrive in time.' }
    default:
      return { status: 400, sentence: 'This is not a request that can be read safely.' }
  }
}
