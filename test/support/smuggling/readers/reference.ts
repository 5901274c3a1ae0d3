import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type Reading, routeOf } from './reading.ts'

/** What bare node:http makes of the bytes of one connection. */
export interface Reference {
  /** Requests that were read to their end, in order. */
  readonly requests: readonly Reading[]
  /** In the midst of a request: the bytes were over before it was. */
  readonly isCutOff: boolean
  /** The connection is over for a reason that is in the bytes: `close`, or no request at all. */
  readonly endsItself: boolean
}

/** A reader that is known to be widely used, asked what it would have understood. */
export interface ReferenceReader extends AsyncDisposable {
  read(bytes: string): Promise<Reference>
}

interface Begun {
  readonly request: IncomingMessage
  readonly chunks: Buffer[]
  isWhole: boolean
}

/** What happened on one connection; found by the visitor's port. */
interface Heard {
  readonly begun: Begun[]
  readonly over: PromiseWithResolvers<void>
  isCutOff: boolean
  endsItself: boolean
}

export async function openReferenceReader(): Promise<ReferenceReader> {
  const heardFrom = new Map<number | undefined, Heard>()
  const heardOn = ({ remotePort }: Socket): Heard | undefined => heardFrom.get(remotePort)
  const server = createServer()
  // The end of the bytes is all there is to say that no more of them will come.
  Reflect.set(server, 'httpAllowHalfOpen', true)
  const note = (request: IncomingMessage, response: ServerResponse): void => {
    const begun: Begun = { request, chunks: [], isWhole: false }
    const heard = heardOn(request.socket)
    heard?.begun.push(begun)
    if (heard && !response.shouldKeepAlive) heard.endsItself = true
    request.on('data', (chunk: Buffer) => begun.chunks.push(chunk))
    request.on('error', () => undefined)
    request.on('end', () => {
      begun.isWhole = true
      response.end()
    })
  }
  server.on('request', note)
  server.on('checkExpectation', note)
  server.on('connection', (socket: Socket) => {
    const heard = {
      begun: [],
      over: Promise.withResolvers<void>(),
      isCutOff: false,
      endsItself: false,
    }
    heardFrom.set(socket.remotePort, heard)
    socket.on('close', heard.over.resolve)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const heard = heardOn(socket as Socket)
    const isCutOff = error.code === 'HPE_INVALID_EOF_STATE'
    if (heard && isCutOff) heard.isCutOff = true
    else if (heard) heard.endsItself = true
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0

  return {
    read: async (bytes) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.resume()
      await once(socket, 'connect')
      const { localPort } = socket
      const closed = once(socket, 'close')
      socket.end(bytes, 'latin1')
      await closed
      const heard = heardFrom.get(localPort)
      if (!heard) throw new TypeError('The reference never heard of a connection.')
      await heard.over.promise
      heardFrom.delete(localPort)
      const whole = heard.begun.filter(({ isWhole }) => isWhole)
      return {
        requests: whole.map(toReading),
        isCutOff: heard.isCutOff || whole.length < heard.begun.length,
        endsItself: heard.endsItself,
      }
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function toReading({ request, chunks }: Begun): Reading {
  return {
    method: request.method ?? '',
    ...routeOf(request.url ?? '', request.headers.host ?? ''),
    body: Buffer.concat(chunks).toString('latin1'),
  }
}
