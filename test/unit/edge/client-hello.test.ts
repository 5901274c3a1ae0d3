import { duplexPair } from 'node:stream'
import { type ConnectionOptions, connect } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ClientHello, readClientHello } from '../../../src/edge/tls/client-hello.ts'
import { clientHello } from '../../support/client-hello.ts'

/** What Node's own client sends first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const [ours, theirs] = duplexPair()
  const socket = connect({ ...options, socket: ours })
  socket.on('error', () => undefined)
  const bytes = await new Promise<Buffer>((resolve) => theirs.once('data', resolve))
  socket.destroy()
  theirs.destroy()
  return bytes
}

function read(bytes: Buffer): ClientHello {
  const reading = readClientHello(bytes)
  if (reading.kind !== 'hello') throw new TypeError(`It is ${reading.kind}`)
  return reading.hello
}

/** The same message in records of `size` bytes each. */
function inRecordsOf(size: number, hello: Buffer): Buffer {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size)
    const header = Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 0xff])
    records.push(header, piece)
  }
  return Buffer.concat(records)
}

describe('the first words of a client', () => {
  it('tell the name, and the newest version it speaks', async () => {
    const modern = read(await helloOf({ servername: 'email.customer.test' }))
    expect(modern).toMatchObject({ servername: 'email.customer.test', newestVersion: 0x0304 })
    const older = read(await helloOf({ servername: 'a.test', maxVersion: 'TLSv1.2' }))
    expect(older).toMatchObject({ servername: 'a.test', newestVersion: 0x0303 })
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
    expect(read(await helloOf(old))).toMatchObject({ servername: undefined, newestVersion: 0x0302 })
  })

  it('are put together from several records, and waited for byte by byte', async () => {
    const hello = await helloOf({ servername: 'email.customer.test', ALPNProtocols: ['h2'] })
    for (const size of [Math.ceil(hello.length / 8), 300, 1000]) {
      expect(read(inRecordsOf(size, hello)).servername).toBe('email.customer.test')
    }
    for (let length = 0; length < hello.length; length += 1) {
      expect(readClientHello(hello.subarray(0, length)).kind).toBe('incomplete')
    }
    expect(read(Buffer.concat([hello, Buffer.from('more')])).servername).toBeDefined()
  })

  it('are left to OpenSSL if they are no hello, too long or in too many pieces', () => {
    const unreadable = { kind: 'unreadable' }
    expect(readClientHello(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toEqual(unreadable)
    expect(readClientHello(Buffer.from('160301000501', 'hex'))).toEqual({ kind: 'incomplete' })
    expect(readClientHello(Buffer.from('1603010005020000010000', 'hex'))).toEqual(unreadable)
    expect(readClientHello(Buffer.from('1603010000', 'hex'))).toEqual(unreadable)
    expect(readClientHello(Buffer.from('160301400001004001', 'hex'))).toEqual({
      kind: 'incomplete',
    })
    const tooLong = Buffer.from('1603010004 01ffffff'.replace(' ', ''), 'hex')
    expect(readClientHello(tooLong)).toEqual(unreadable)
    expect(readClientHello(inRecordsOf(8, clientHello('a.test')))).toEqual(unreadable)
  })

  it('never throw, whatever they are', () => {
    const real = clientHello('email.customer.test')
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.nat(real.length - 1),
        fc.nat(255),
        (junk, where, value) => {
          readClientHello(Buffer.from(junk))
          readClientHello(Buffer.concat([real.subarray(0, 9), Buffer.from(junk)]))
          const flipped = Buffer.from(real)
          flipped.writeUInt8(value, where)
          const reading = readClientHello(flipped)
          if (reading.kind === 'hello') expect(reading.hello.fingerprint()).toMatch(/^t/)
        },
      ),
    )
  })
})

describe('the fingerprint of a client', () => {
  it('is JA4, as others compute it', () => {
    // A hello of Chrome's, with values that mean nothing (RFC 8701); JA4's own example.
    const suites = '1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035'
    const algorithms = '0403,0804,0401,0503,0805,0501,0806,0601'
    const kinds = '0017,ff01,000a,000b,0023,0005,0012,0033,002d,001b,4469,0015'
    const hex = (list: string): string => list.replaceAll(',', '')
    const lengthOf = (text: string, bytes: number): string =>
      (text.length / 2).toString(16).padStart(bytes * 2, '0')
    const extension = (kind: string, body: string): string => kind + lengthOf(body, 2) + body
    const inner = hex(algorithms)
    const extensions = [
      extension('0a0a', ''),
      extension('0000', '000600000361' + '2e74'),
      ...kinds.split(',').map((kind) => extension(kind, '00')),
      extension('000d', lengthOf(inner, 2) + inner),
      extension('002b', '06' + '1a1a03040303'),
      extension('0010', '000c' + '026832' + '08' + '687474702f312e31'),
    ].join('')
    const offered = `2a2a${hex(suites)}`
    const body =
      '0303' +
      '00'.repeat(32) +
      '00' +
      lengthOf(offered, 2) +
      offered +
      '0100' +
      lengthOf(extensions, 2) +
      extensions
    const message = `01${lengthOf(body, 3)}${body}`
    const bytes = Buffer.from(`160301${lengthOf(message, 2)}${message}`, 'hex')
    expect(read(bytes).fingerprint()).toBe('t13d1516h2_8daaf6152771_e5627efa2ab1')
  })

  it('is the same for the same program, whichever host it asks for', async () => {
    const [first, second] = await Promise.all([
      helloOf({ servername: 'a.test' }),
      helloOf({ servername: 'email.customer.test' }),
    ])
    expect(read(first).fingerprint()).toBe(read(second).fingerprint())
    expect(read(clientHello('a.test')).fingerprint()).not.toBe(read(first).fingerprint())
  })
})
