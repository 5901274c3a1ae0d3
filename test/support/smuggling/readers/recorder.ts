import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import type { BackendTarget } from '../../../../src/edge/index.ts'
import type { Reading } from './reading.ts'
import { readStrictly } from './strict-reader.ts'

/** A request as a backend read it. */
export interface Seen extends Reading {
  /** By which the visitor's answer is known to be the one to this request. */
  readonly serial: number
  /** `X-Forwarded-For`, however often it came: the visitor's address. */
  readonly from: string
  /** All of its body came. */
  readonly isWhole: boolean
  /** Values by lower-case name, where the backend keeps them. */
  readonly fields?: ReadonlyMap<string, readonly string[]>
}

/** What a backend was sent. */
export interface Record {
  readonly seen: Seen[]
  /** What no backend should ever be sent, whoever's fault it is. */
  readonly violations: string[]
}

/** A backend that remembers what it read, and says in each answer which request that was. */
export interface Recorder extends Record, AsyncDisposable {
  readonly name: string
  readonly target: BackendTarget
}

/** Names the request that an answer is for. */
export const SERIAL_FIELD = 'x-saw'

/** One that reads every byte strictly. */
export async function openStrictRecorder(): Promise<Recorder> {
  const record: Record = { seen: [], violations: [] }
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    let received = ''
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      received = answerAll(socket, received, record)
    })
    socket.on('close', () => {
      sockets.delete(socket)
      if (received !== '') noteRest(received, record)
    })
  })
  const port = await listen(server)
  return {
    name: 'bytes',
    target: { kind: 'remote', targets: [{ kind: 'tcp', host: '127.0.0.1', port }] },
    ...record,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** Answers the whole requests of `received`, and returns the rest. */
function answerAll(socket: Socket, received: string, { seen, violations }: Record): string {
  let rest = received
  while (rest !== '') {
    const reading = readStrictly(rest)
    if (reading.kind === 'unfinished') return rest
    if (reading.kind === 'violation') {
      violations.push(`${reading.what} in ${JSON.stringify(rest.slice(0, 400))}`)
      socket.destroy()
      return ''
    }
    const { method, target, host, body, fields, bytes } = reading.request
    const from = (fields.get('x-forwarded-for') ?? []).join()
    const serial = seen.length
    seen.push({ serial, from, method, target, host, body, isWhole: true, fields })
    const text = `saw ${serial}`
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n${SERIAL_FIELD}: ${serial}\r\n\r\n`
    socket.write(method === 'HEAD' ? head : head + text)
    rest = rest.slice(bytes)
  }
  return rest
}

/** Bytes that make no whole request are right only if the visitor left in the midst of one. */
function noteRest(rest: string, { seen, violations }: Record): void {
  const reading = readStrictly(rest)
  if (reading.kind !== 'unfinished' || !reading.fields) {
    violations.push(`left over: ${JSON.stringify(rest.slice(0, 400))}`)
    return
  }
  const [method = '', target = ''] = rest.split(' ')
  const from = (reading.fields.get('x-forwarded-for') ?? []).join()
  const host = (reading.fields.get('host') ?? []).join()
  seen.push({ serial: seen.length, from, method, target, host, body: '', isWhole: false })
}

/** One that reads as bare node:http does; also what answers behind other servers. */
export async function openNodeRecorder(): Promise<Recorder & { readonly port: number }> {
  const record: Record = { seen: [], violations: [] }
  const { seen, violations } = record
  const server = createServer((request, response) => {
    const serial = seen.length
    const chunks: Buffer[] = []
    const begun = { serial, ...headOf(request), body: '', isWhole: false }
    seen.push(begun)
    request.on('error', () => undefined)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      seen[serial] = { ...begun, body: Buffer.concat(chunks).toString('latin1'), isWhole: true }
      response.setHeader(SERIAL_FIELD, String(serial))
      response.end(`saw ${serial}`)
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
    // The visitor left in the midst of a body.
    const isCutOff = error.code === 'ECONNRESET' || error.code === 'HPE_INVALID_EOF_STATE'
    if (!isCutOff) violations.push(`${error.code}: ${error.rawPacket?.toString('latin1')}`)
    socket.destroy()
  })
  server.keepAliveTimeout = 60_000
  const port = await listen(server)
  return {
    name: 'node:http',
    port,
    target: { kind: 'remote', targets: [{ kind: 'tcp', host: '127.0.0.1', port }] },
    ...record,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function headOf(request: IncomingMessage): Pick<Seen, 'from' | 'method' | 'target' | 'host'> {
  const { method = '', url = '', headersDistinct } = request
  return {
    method,
    target: url,
    host: (headersDistinct['host'] ?? []).join(),
    from: (headersDistinct['x-forwarded-for'] ?? []).join(),
  }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
