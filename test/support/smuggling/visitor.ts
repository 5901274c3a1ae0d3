import { connect as connectTcp, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { SERIAL_FIELD } from './readers/recorder.ts'

/** An answer that ended where it said it would. */
export interface Answer {
  readonly status: number
  /** Of the request that a backend says this is the answer to. */
  readonly serial: number | undefined
  /** It was written behind the edge. */
  readonly isFromBehind: boolean
}

/** What a visitor got for its bytes. */
export interface Visit {
  readonly answers: readonly Answer[]
  /** What could not be read as an answer. */
  readonly rest: string
  /** The edge neither answered nor closed. */
  readonly isStuck: boolean
}

/** How bytes are sent, and when nothing more is to come for them. */
export interface Sending {
  readonly port: number
  /** Absent: in clear. */
  readonly servername?: string
  /** Any of 127.0.0.0/8: by it the backend's record and the visitor are brought together. */
  readonly from: string
  readonly pieces: readonly string[]
  /** Methods of the requests that these bytes contain: answers to HEAD have no body. */
  readonly methods: readonly string[]
  /** After so many answers the visitor has said all that it has to say. */
  readonly leavesAfterAll: boolean
}

/** Neither an answer nor a close for this long is a fault, not a slow machine. */
const STUCK_MS = 30_000

/** Sends the pieces, each in a packet of its own, and reads until the connection is over. */
export async function visit(sending: Sending): Promise<Visit> {
  const socket = await open(sending)
  let text = ''
  let isStuck = false
  const closed = Promise.withResolvers<void>()
  const timer = setTimeout(() => {
    isStuck = true
    socket.destroy()
  }, STUCK_MS)
  const leaveIfDone = (): void => {
    if (!sending.leavesAfterAll) return
    if (readAnswers(text, sending.methods).answers.length >= sending.methods.length) socket.end()
  }
  socket.on('error', () => socket.destroy())
  socket.on('close', () => closed.resolve())
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    leaveIfDone()
  })
  for (const [index, piece] of sending.pieces.entries()) {
    if (index > 0) await turn()
    if (!socket.writable) break
    socket.write(piece, 'latin1')
  }
  leaveIfDone()
  await closed.promise
  clearTimeout(timer)
  return { ...readAnswers(text, sending.methods), isStuck }
}

async function open({ port, servername, from }: Sending): Promise<Socket> {
  const place = { port, host: '127.0.0.1', localAddress: from }
  const socket =
    servername === undefined
      ? connectTcp(place)
      : connectTls({ ...place, servername, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
  socket.setNoDelay(true)
  await new Promise((resolve, reject) => {
    socket.once(servername === undefined ? 'connect' : 'secureConnect', resolve)
    socket.once('error', reject)
  })
  socket.removeAllListeners('error')
  return socket
}

const HEAD = /^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*\r\n((?:[A-Za-z0-9-]+: ?[\t\x20-\x7e]*\r\n)*)\r\n/

/** Reads answers strictly: what is not one, or not whole, is the rest. */
function readAnswers(
  text: string,
  methods: readonly string[],
): { readonly answers: readonly Answer[]; readonly rest: string } {
  const answers: Answer[] = []
  let rest = text
  for (;;) {
    const [head, status, lines = ''] = HEAD.exec(rest) ?? []
    if (head === undefined) return { answers, rest }
    if (Number(status) < 200) {
      rest = rest.slice(head.length)
      continue
    }
    const length = lengthOf(lines, methods[answers.length], rest.slice(head.length))
    if (length === undefined || rest.length < head.length + length) return { answers, rest }
    answers.push({
      status: Number(status),
      serial: numberOf(lines, SERIAL_FIELD),
      isFromBehind: /^x-(saw|behind):/im.test(lines),
    })
    rest = rest.slice(head.length + length)
  }
}

/** `undefined`: it does not say, or it says two things. */
function lengthOf(lines: string, method: string | undefined, body: string): number | undefined {
  if (method === 'HEAD') return 0
  if (/^transfer-encoding: ?chunked\r/im.test(lines)) {
    return /^(?:[1-9a-f][0-9a-f]*\r\n[^\r\n]*\r\n)*0\r\n\r\n/.exec(body)?.[0].length
  }
  return lines.match(/^content-length:/gim)?.length === 1
    ? numberOf(lines, 'content-length')
    : undefined
}

function numberOf(lines: string, name: string): number | undefined {
  const value = new RegExp(`^${name}: ?(\\d+)\\r`, 'im').exec(lines)?.[1]
  return value === undefined ? undefined : Number(value)
}
