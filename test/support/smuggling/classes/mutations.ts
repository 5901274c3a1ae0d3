import type { Random } from '../../../../src/kernel/index.ts'
import { type AttackClass, chunked, end, get, HOST, hidden, OTHER_HOST, post } from '../payload.ts'

// What nobody thought of: plain requests with one to three accidents each.

const ORIGINALS: readonly ((at: string) => string)[] = [
  (at) => get(`${at}/a`, HOST, 'Accept: */*\r\nUser-Agent: x\r\n') + end(at),
  (at) => get(`${at}/a`) + get(`${at}/b`, OTHER_HOST) + end(at),
  (at) => get(`http://${HOST}${at}/a`, HOST, 'X-Forwarded-For: 6.6.6.6\r\n') + end(at),
  (at) => post(at, `Content-Length: ${hidden(at).length}\r\n`, hidden(at)),
  (at) => post(at, 'Transfer-Encoding: chunked\r\n', chunked(hidden(at))),
  (at) =>
    post(at, 'Transfer-Encoding: chunked\r\nTrailer: X\r\n', '5;a=b\r\nabcde\r\n0\r\nX: y\r\n\r\n'),
  (at) => post(at, 'Connection: keep-alive\r\nContent-Length: 5\r\n', 'abcde', 'PUT'),
  (at) => get(`${at}/a`, HOST, 'Connection: Upgrade\r\nUpgrade: websocket\r\n') + end(at),
]

const INSERTED = [
  ' ',
  '\t',
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  ':',
  ',',
  ';',
  '"',
  '_',
  '\x0b',
  '\x85',
  '\xff',
  '0',
  '1',
  'chunked',
  'Content-Length: 0\r\n',
  'Content-Length: 7\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: x\r\n',
  `Host: ${OTHER_HOST}\r\n`,
  'Connection: close\r\n',
  'Expect: 100-continue\r\n',
  'HTTP/1.1',
  'HTTP/1.0',
  'http://',
  '@',
  '#',
  '%00',
  '\r\n ',
  '0\r\n\r\n',
]

/** Mutations of plain requests: the same for the same random numbers. */
export function createMutations(random: Random, count: number): AttackClass {
  const below = (limit: number): number => Math.floor(random.fraction() * limit)
  const payloads: ((at: string) => string)[] = []
  for (let index = 0; index < count; index += 1) {
    const original = ORIGINALS[index % ORIGINALS.length]
    const accidents = Array.from({ length: 1 + below(3) }, () => accident(below))
    if (!original) continue
    payloads.push((at) => accidents.reduce((bytes, happen) => happen(bytes, at), original(at)))
  }
  return { class: 'mutation', payloads }
}

type Accident = (bytes: string, at: string) => string

/** All chance is drawn here, and as fractions, so that the bytes depend on nothing else. */
function accident(below: (limit: number) => number): Accident {
  const place = below(2 ** 30) / 2 ** 30
  const inserted = INSERTED[below(INSERTED.length)] ?? ''
  const lines = [below(2 ** 20), below(2 ** 20)] as const
  switch (below(7)) {
    case 0:
      return spliced(place, 1, '')
    case 1:
      return (bytes, at) => {
        const index = Math.floor(place * bytes.length)
        return spliced(place, 0, bytes.charAt(index))(bytes, at)
      }
    case 2:
      return spliced(place, 1, inserted)
    case 3:
    case 4:
      return spliced(place, 0, inserted)
    case 5:
      return (bytes) => {
        const parts = bytes.split('\r\n')
        const [from, to] = [lines[0] % parts.length, lines[1] % parts.length]
        parts.splice(to, 0, ...parts.slice(from, from + 1))
        return parts.join('\r\n')
      }
    default:
      return (bytes) => {
        const parts = bytes.split('\r\n')
        parts.splice(lines[0] % parts.length, 1)
        return parts.join('\r\n')
      }
  }
}

/** The path by which a payload is known stays whole, or nobody could tell whose request it was. */
function spliced(place: number, removed: number, inserted: string): Accident {
  return (bytes, at) => {
    const index = Math.floor(place * bytes.length)
    const isInPath = bytes.slice(Math.max(0, index - at.length), index + at.length).includes(at)
    const where = isInPath ? bytes.lastIndexOf('\r\n', index) + 2 : index
    return bytes.slice(0, where) + inserted + bytes.slice(where + removed)
  }
}
