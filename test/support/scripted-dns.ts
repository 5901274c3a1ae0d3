import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'

/** What a scripted DNS server says to one question. */
export type ScriptedAnswer =
  | { readonly rcode: 'noerror' | 'servfail' | 'nxdomain' | 'refused' | 'notimp' }
  | { readonly records: readonly ScriptedRecord[] }
  | 'silence'

export interface ScriptedRecord {
  readonly type: keyof typeof TYPES
  /** The RDATA. */
  readonly data: Buffer
}

/** A DNS server that answers by a script, for what pebble-challtestsrv cannot be told to say. */
export interface ScriptedDns extends AsyncDisposable {
  readonly address: string
}

const TYPES = { A: 1, CNAME: 5, TXT: 16, AAAA: 28, CAA: 257 } as const
const RCODES = { noerror: 0, servfail: 2, nxdomain: 3, notimp: 4, refused: 5 } as const

/** Starts it on a free UDP port. The script gets the name in lower case and the type. */
export async function startScriptedDns(
  script: (name: string, type: string) => ScriptedAnswer,
): Promise<ScriptedDns> {
  const socket = createSocket('udp4')
  socket.on('message', (query: Buffer, from: RemoteInfo) => {
    const { name, type, end } = readQuestion(query)
    const answer = script(name, type)
    if (answer === 'silence') return
    const records = 'records' in answer ? answer.records : []
    const rcode = 'rcode' in answer ? answer.rcode : 'noerror'
    const head = Buffer.from(query.subarray(0, end))
    head.writeUInt16BE(0x8180 | RCODES[rcode], 2)
    head.writeUInt16BE(records.length, 6)
    head.writeUInt32BE(0, 8)
    socket.send(Buffer.concat([head, ...records.map(writeRecord)]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    [Symbol.asyncDispose]: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}

/** The RDATA of a CAA record (RFC 8659 §4.1). */
export function caaData(flags: number, tag: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([flags, tag.length]), Buffer.from(tag + value)])
}

/** The RDATA of a CNAME record. */
export function nameData(name: string): Buffer {
  const labels = name.split('.').map((label) => [Buffer.from([label.length]), Buffer.from(label)])
  return Buffer.concat([...labels.flat(), Buffer.from([0])])
}

function readQuestion(query: Buffer): { name: string; type: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const number = query.readUInt16BE(at + 1)
  const type = Object.entries(TYPES).find(([, value]) => value === number)?.[0] ?? `${number}`
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 }
}

/** With a pointer to the question's name (RFC 1035 §4.1.4) and a TTL of 60 s. */
function writeRecord({ type, data }: ScriptedRecord): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(TYPES[type], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(60, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}
