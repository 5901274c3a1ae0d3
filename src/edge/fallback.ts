import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { EdgeRecord } from '../telemetry/index.ts'
import type { Exchange } from './exchange.ts'
import type { Arrival } from './gate.ts'
import {
  DEADLINE_CHECK_MS,
  HEAD_BYTES_MAX,
  HEAD_MS_MAX,
  KEEP_ALIVE_MS,
  PIPELINED_REQUESTS_MAX,
  REQUEST_MS_MAX,
  REQUESTS_PER_CONNECTION_MAX,
  SOCKET_IDLE_MS_MAX,
} from './limits.ts'
import { type Connection, openConnection } from './ownership.ts'
import { type Page, writeLastPage } from './pages.ts'

/**
 * Reads the full grammar of HTTP/1.1 with node:http: bodies, chunks, upgrades, pipelining. What it
 * accepts is judged again (`request-rules`), because it accepts too much.
 */
export interface Fallback {
  /** Takes over a connection of which no byte has been read, or whose bytes were put back. */
  take(socket: Socket, arrival: Arrival): void
  /** From now on every answer is its connection's last; idle connections are closed. */
  windDown(): void
  /** Ends the watch over deadlines. The connections are the listeners' to end. */
  close(): void
}

/** A connection and the requests on it that have no answer yet, the one under way first. */
interface Visit {
  readonly connection: Connection
  readonly waiting: Turn[]
  /** Bytes that are not HTTP have come: the answer under way is the last. */
  isBroken: boolean
}

interface Turn {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

export function createFallback(
  { exchange, record }: { readonly exchange: Exchange; readonly record: EdgeRecord },
  { upgrades }: { readonly upgrades: 'tunnelled' | 'ignored' },
): Fallback {
  const visits = new WeakMap<Duplex, Visit>()
  const answering = new Set<ServerResponse>()
  let isWindingDown = false
  const server = createReader(upgrades)

  const visitOf = (socket: Duplex): Visit => {
    const visit = visits.get(socket)
    if (!visit) throw new TypeError('A request came over a connection that was never taken.')
    return visit
  }
  // One at a time: node:http reads ahead, and what follows a refused request must not be served.
  const enqueue = (request: IncomingMessage, response: ServerResponse): void => {
    const visit = visitOf(request.socket)
    visit.waiting.push({ request, response })
    if (visit.waiting.length > PIPELINED_REQUESTS_MAX) request.socket.destroy()
    else if (visit.waiting.length === 1) serveFirst(visit)
  }
  const serveFirst = (visit: Visit): void => {
    const [turn] = visit.waiting
    if (!turn) return
    const { request, response } = turn
    const { socket } = request
    answering.add(response)
    if (isWindingDown) response.setHeader('connection', 'close')
    response.once('finish', () => {
      record.answered(response.statusCode, visit.connection.arrival.secure ? 'https' : 'http')
    })
    response.once('close', () => {
      answering.delete(response)
      // Answered before its end: nobody will read the rest, and it must not look like a request.
      if (visit.isBroken || !request.complete) socket.destroySoon()
      visit.waiting.shift()
      if (socket.writable) serveFirst(visit)
    })
    void exchange.serve(request, response, visit.connection)
  }

  server.on('request', enqueue)
  server.on('checkContinue', enqueue)
  server.on('upgrade', (request, socket, head) => {
    destroyOnError(socket)
    const { connection, waiting } = visitOf(socket)
    // An answer is under way, and would get mixed up with what comes after the upgrade.
    if (waiting.length > 0) socket.destroy()
    else void exchange.upgrade(request, socket, head, connection)
  })
  server.on('connect', (_request, socket) => {
    destroyOnError(socket)
    record.refused('method')
    if (visitOf(socket).waiting.length > 0) socket.destroy()
    else writeLastPage(socket, { status: 405, sentence: 'CONNECT is not allowed here.' })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const visit = visits.get(socket)
    const page = pageOf(error.code)
    const turn = visit?.waiting[0]
    if (page && visit && turn) {
      // In the middle of an answer a page would become part of it.
      visit.isBroken = true
      if (!turn.request.complete && !turn.response.writableEnded) socket.destroy()
      return
    }
    if (!page) {
      socket.destroy()
      return
    }
    record.refused('grammar')
    writeLastPage(socket, page)
  })
  watchDeadlines(server)

  return {
    take: (socket, arrival) => {
      visits.set(socket, { connection: openConnection(arrival), waiting: [], isBroken: false })
      server.emit('connection', socket)
    },
    windDown: () => {
      isWindingDown = true
      for (const response of answering) {
        if (!response.headersSent) response.setHeader('connection', 'close')
      }
      server.closeIdleConnections()
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

/** node:http lets go of a socket that leaves HTTP; an error nobody hears would end the process. */
function destroyOnError(socket: Duplex): void {
  socket.on('error', () => socket.destroy())
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
