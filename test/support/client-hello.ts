import { randomBytes } from 'node:crypto'

/**
 * The first bytes of a TLS 1.3 client (RFC 8446 §4.1.2) that asks for any name at all, also one that
 * no library would send. Its key share is a random point: enough to be refused by name.
 */
export function clientHello(serverName: Buffer | string): Buffer {
  const body = Buffer.concat([
    Buffer.from([0x03, 0x03]),
    randomBytes(32),
    vector(1, randomBytes(32)),
    vector(2, Buffer.from('1301c02b', 'hex')),
    vector(1, Buffer.from([0])),
    vector(2, Buffer.concat([nameOf(serverName), ...EXTENSIONS, keyShare()])),
  ])
  const handshake = Buffer.concat([Buffer.from([1, 0]), vector(2, body)])
  return Buffer.concat([Buffer.from([0x16, 0x03, 0x01]), vector(2, handshake)])
}

/** Names that are no names. */
export const ODD_NAMES: readonly Buffer[] = [
  'EMAIL.UNKNOWN.TEST',
  'email.unknown.test.',
  'email.unknown.test\0.email.customer.test',
  '192.0.2.1',
  '[2001:db8::1]',
  '*.customer.test',
  '*',
  '.',
  '..',
  '-.test',
  'xn--mnchen-3ya.test',
  'münchen.test',
  `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}`,
  'a'.repeat(255),
  '\xff\xfe'.repeat(100),
  ' ',
  'email.customer.test/../',
].map((name) => Buffer.from(name))

const EXTENSIONS = [
  extension(10, vector(2, Buffer.from('001d0017', 'hex'))),
  extension(13, vector(2, Buffer.from('04030804', 'hex'))),
  extension(43, vector(1, Buffer.from('03040303', 'hex'))),
]

function keyShare(): Buffer {
  const share = Buffer.concat([Buffer.from('001d', 'hex'), vector(2, randomBytes(32))])
  return extension(51, vector(2, share))
}

function nameOf(serverName: Buffer | string): Buffer {
  const name = Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(serverName))])
  return extension(0, vector(2, name))
}

function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 0xff]), vector(2, content)])
}

function vector(lengthBytes: 1 | 2, content: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes)
  length.writeUIntBE(content.length, 0, lengthBytes)
  return Buffer.concat([length, content])
}
