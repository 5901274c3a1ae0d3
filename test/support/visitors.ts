import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'

/** Where a connection comes from and goes to. Any address of 127.0.0.0/8 may be the sender's. */
export interface Way {
  readonly port: number
  readonly from?: string
}

/** Opens a connection; what happens to it is the caller's to see. */
export function dial({ port, from = '127.0.0.1' }: Way): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  socket.on('error', () => undefined)
  return socket
}

/** Sends `hello`, or nothing, and resolves with what came back once the other side has ended it. */
export async function dialAndWait(way: Way, hello?: Buffer): Promise<Buffer> {
  const socket = dial(way)
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  if (hello) socket.write(hello)
  await gone(socket)
  return Buffer.concat(pieces)
}

export async function gone(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close').catch(() => undefined)
}

/** One request of a good visitor over a new TLS connection: what it was answered, and in what time. */
export async function visit(
  { port, from = '127.0.0.1' }: Way,
  hostname: string,
  target = '/',
): Promise<{ readonly status: number; readonly ms: number }> {
  const started = performance.now()
  const socket = tlsConnect({
    socket: dial({ port, from }),
    servername: hostname,
    rejectUnauthorized: false,
  })
  socket.on('error', () => undefined)
  socket.write(`GET ${target} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`)
  let text = ''
  socket.on('data', (piece) => {
    text += piece.toString('latin1')
  })
  await gone(socket)
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
  return { status, ms: performance.now() - started }
}

/** Good visitors, one after the other, until they are called off. */
export async function keepVisiting(
  way: Way,
  { hostname, target = '/' }: { readonly hostname: string; readonly target?: string },
  signal: AbortSignal,
): Promise<{ readonly visits: number; readonly failures: number; readonly p99Ms: number }> {
  const took: number[] = []
  let failures = 0
  while (!signal.aborted) {
    const { status, ms } = await visit(way, hostname, target)
    took.push(ms)
    if (status !== 200 && status !== 302) failures += 1
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  took.sort((a, b) => a - b)
  return { visits: took.length, failures, p99Ms: took[Math.floor(took.length * 0.99)] ?? 0 }
}

/** Many things at once, but no more than so many. */
export async function inParallel(
  count: number,
  atOnce: number,
  one: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next
      next += 1
      await one(index)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
