import { once } from 'node:events'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'

// RFC 9113 and RFC 7541 as an attacker writes them: any frame with any bytes in it.

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const END_STREAM = 0x1
export const END_HEADERS = 0x4

/** One frame; stream 0 is the connection itself. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(FRAME.settings, 0, 0),
])

export type Field = readonly [name: string, value: string]

/** Literal fields without indexing and without Huffman's code: exactly the bytes given. */
export function hpack(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]),
  )
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  return Buffer.concat([lengthPrefix(bytes.length), bytes])
}

function lengthPrefix(length: number): Buffer {
  if (length < 127) return Buffer.from([length])
  const bytes = [127]
  let rest = length - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

export function get(authority: string, path = '/', extra: readonly Field[] = []): Buffer {
  return hpack([
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', authority],
    [':path', path],
    ...extra,
  ])
}

/** A connection on which frames are written by hand, and what came back. */
export interface RawHttp2 extends AsyncDisposable {
  readonly socket: TLSSocket
  send(...frames: readonly Buffer[]): void
  /** Frames by type, in order of arrival. */
  frames(type: number): readonly RawFrame[]
  /** Resolves once such a frame has come; rejects if the connection closes before. */
  until(isIt: (frame: RawFrame) => boolean): Promise<RawFrame>
  /** Resolves with the error code of the last GOAWAY, if any, once the connection is closed. */
  readonly closed: Promise<number | undefined>
}

export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export async function openRawHttp2(
  port: number,
  servername: string,
  options: ConnectionOptions = {},
): Promise<RawHttp2> {
  const where = { port, host: '127.0.0.1', servername, rejectUnauthorized: false }
  const socket = connect({ ...where, ALPNProtocols: ['h2'], ...options })
  await once(socket, 'secureConnect')
  const frames: RawFrame[] = []
  const waiting = new Set<() => void>()
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    for (; rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3); ) {
      const end = 9 + rest.readUIntBE(0, 3)
      frames.push({
        type: rest.readUInt8(3),
        flags: rest.readUInt8(4),
        stream: rest.readUInt32BE(5),
        payload: rest.subarray(9, end),
      })
      rest = rest.subarray(end)
    }
    for (const look of waiting) look()
  })
  const closed = Promise.withResolvers<number | undefined>()
  socket.on('error', () => undefined)
  socket.on('close', () => {
    const goaway = frames.findLast(({ type }) => type === FRAME.goaway)
    closed.resolve(goaway?.payload.readUInt32BE(4))
    for (const look of waiting) look()
  })
  return {
    socket,
    send: (...list) => {
      if (socket.writable) socket.write(Buffer.concat(list))
    },
    frames: (type) => frames.filter((one) => one.type === type),
    until: (isIt) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = frames.find(isIt)
          if (found) resolve(found)
          else if (socket.destroyed) reject(new Error('The connection closed before such a frame.'))
          else return
          waiting.delete(look)
        }
        waiting.add(look)
        look()
      }),
    closed: closed.promise,
    [Symbol.asyncDispose]: async () => {
      socket.destroy()
    },
  }
}
