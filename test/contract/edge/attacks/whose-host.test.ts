import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  get as getFields,
  openRawHttp2,
  PREFACE,
} from '../../../support/http2-frames.ts'
import { openStrictRecorder, type Recorder } from '../../../support/smuggling/readers/recorder.ts'
import {
  ca,
  type EdgeUnderTest,
  OTHER,
  OURS,
  openEdge,
  PENDING,
  sendRaw,
  statusOf,
} from '../support.ts'

/** Names that are shaken hands for; `undefined`: none. */
const SERVERNAMES: readonly (string | undefined)[] = [
  OURS,
  PENDING,
  OTHER,
  'stranger.test',
  undefined,
  OURS.toUpperCase(),
  `${OURS}.`,
]

/** Names that are then asked for, and which host they are, if any. */
const HOSTS: readonly (readonly [written: string, host: string | undefined])[] = [
  [OURS, OURS],
  [PENDING, PENDING],
  [OTHER, OTHER],
  ['stranger.test', 'stranger.test'],
  ['', undefined],
  ['127.0.0.1', undefined],
  [`${OURS}.`, undefined],
  [OURS.toUpperCase(), OURS],
  [`${OURS}:443`, OURS],
  [`${OTHER}:443`, OTHER],
]

let backend: Recorder
let under: EdgeUnderTest

beforeAll(async () => {
  backend = await openStrictRecorder()
  under = await openEdge({ backend: backend.target })
  under.certificates.set(PENDING, ca.issue(PENDING))
})
afterAll(async () => {
  await under[Symbol.asyncDispose]()
  await backend[Symbol.asyncDispose]()
})

/** What may be seen by a backend, and what must be said, for a name shaken hands for. */
function isServed(servername: string | undefined, host: string | undefined): boolean {
  return servername?.toLowerCase() === host && [OURS, PENDING, OTHER].some((ours) => ours === host)
}

async function shake(servername: string | undefined): Promise<TLSSocket | undefined> {
  const place = { port: under.httpsPort, host: '127.0.0.1', rejectUnauthorized: false }
  const socket = connect(servername === undefined ? place : { ...place, servername })
  socket.on('error', () => socket.destroy())
  const isOpen = await once(socket, 'secureConnect').then(
    () => true,
    () => false,
  )
  return isOpen ? socket : undefined
}

async function askFor(servername: string | undefined, host: string): Promise<number | 'no hands'> {
  const socket = await shake(servername)
  if (!socket) return 'no hands'
  socket.write(`GET /${host} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  const [chunk] = await once(socket, 'data')
  socket.destroy()
  return statusOf(String(chunk))
}

describe('a host that is asked for over TLS', () => {
  it.each(SERVERNAMES)('is the one of the handshake, or is refused: %s', async (servername) => {
    for (const [written, host] of HOSTS) {
      const before = backend.seen.length
      const status = await askFor(servername, written)
      const seen = backend.seen.slice(before)
      if (isServed(servername, host)) {
        expect([written, status]).toEqual([written, 200])
        expect(seen.map((one) => one.host)).toEqual([host])
      } else {
        expect([written, status]).toEqual([written, expect.toBeOneOf([400, 421, 'no hands'])])
        expect(seen).toEqual([])
      }
    }
    expect(backend.violations).toEqual([])
  })

  it.each([OURS, PENDING, OTHER])(
    'is the one of the handshake over HTTP/2 too: %s',
    async (name) => {
      await using raw = await openRawHttp2(under.httpsPort, name)
      raw.send(PREFACE)
      for (const [index, [written, host]] of HOSTS.entries()) {
        const before = backend.seen.length
        const id = 2 * index + 1
        const flags = END_HEADERS | END_STREAM
        raw.send(frame(FRAME.headers, flags, id, getFields(written, `/${written}`)))
        const end = await raw
          .until(
            (one) =>
              one.stream === id && (one.type === FRAME.reset || (one.flags & END_STREAM) !== 0),
          )
          .catch(() => undefined)
        const seen = backend.seen.slice(before).map((one) => one.host)
        expect([written, seen]).toEqual([written, isServed(name, host) ? [host] : []])
        if (isServed(name, host)) expect(end?.type).toBe(FRAME.data)
      }
    },
  )

  it('may change with each request in clear, and never is one that is not ours', async () => {
    for (const [written, host] of HOSTS) {
      const before = backend.seen.length
      const answer = await sendRaw(under.httpPort, `GET / HTTP/1.1\r\nHost: ${written}\r\n\r\n`)
      const isOurs = host !== undefined && host !== 'stranger.test'
      expect(backend.seen.slice(before).map((one) => one.host)).toEqual(isOurs ? [host] : [])
      expect(statusOf(answer) === 200).toBe(isOurs)
    }
  })
})
