import { spawnSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPkcs12Files } from '../../../src/certs/pkcs12/pkcs12-files.ts'
import {
  DER_TAGS,
  der,
  derObjectIdentifier,
  derSequence,
  seconds,
} from '../../../src/kernel/index.ts'
import { createTestCa, newKey } from '../../support/certificates.ts'

const HOST = 'email.customer.test'
const ca = createTestCa()
const files = createPkcs12Files()
const rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-pkcs12-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** OpenSSL writes the file: the witness that we read what others write. */
async function byOpenssl(
  key: KeyObject,
  password: string,
  extra: readonly string[] = [],
): Promise<Buffer> {
  const { chainPem } = ca.issue(HOST, { privateKey: key })
  const pem = chainPem + key.export({ format: 'pem', type: 'pkcs8' }).toString()
  return await exported(pem, ['-passout', `pass:${password}`, ...extra])
}

function openssl(args: readonly string[]) {
  return spawnSync('openssl', ['pkcs12', ...args])
}

/** OpenSSL reads certificates and key in two goes: not from a pipe. */
async function exported(pem: string, args: readonly string[]): Promise<Buffer> {
  const path = join(folder, 'in.pem')
  await writeFile(path, pem)
  const { stdout, stderr, status } = openssl(['-export', '-in', path, ...args])
  expect([status, stderr.toString()]).toEqual([0, ''])
  return stdout
}

const keys: readonly (readonly [string, KeyObject])[] = [
  ['P-256', newKey()],
  ['RSA', rsaKey],
]

describe.each(keys)('a PKCS#12 file with a key of %s', (_, key) => {
  it.each<[string, string, readonly string[]]>([
    ['as OpenSSL 3 makes it', 'secret-enough', []],
    ['as OpenSSL 1 and Windows made it', 'secret-enough', ['-legacy']],
    ['with AES-128 and SHA-1', 'secret-enough', ['-keypbe', 'AES-128-CBC', '-macalg', 'sha1']],
    ['with SHA-512', 'secret-enough', ['-macalg', 'sha512']],
    ['with many iterations', 'secret-enough', ['-iter', '600000']],
    ['with a password beyond ASCII', 'gähéimwört€', []],
    ['with an empty password', '', []],
    ['with no protection', '', ['-nomac', '-keypbe', 'NONE', '-certpbe', 'NONE']],
    ['with a name', 'secret-enough', ['-name', 'Wildcard 2026']],
  ])('is read %s', async (_how, password, extra) => {
    const file = await byOpenssl(key, password, extra)
    const read = await files.read({ file, password })
    if (read.kind === 'refused') throw new Error(read.why)
    const found = createPrivateKey({ key: read.keyDer, format: 'der', type: 'pkcs8' })
    expect(found.equals(key)).toBe(true)
    expect(read.certificates).toHaveLength(2)
    const [leaf = Buffer.alloc(0)] = read.certificates
    expect(new X509Certificate(leaf).checkPrivateKey(key)).toBe(true)
  })

  it('is written for OpenSSL, which finds chain, key and name in it', async () => {
    const issued = ca.issue(HOST, { privateKey: key })
    const chain = [issued.leafPem, ca.intermediatePem].map((pem) => new X509Certificate(pem).raw)
    const keyDer = key.export({ format: 'der', type: 'pkcs8' })
    const password = 'pässwort€ mit Länge'
    const file = await files.write({ chain, keyDer, password, name: HOST })
    expect(keyDer.every((byte) => byte === 0)).toBe(true)

    const path = join(folder, 'ours.p12')
    await writeFile(path, file)
    const shown = openssl(['-in', path, '-passin', `pass:${password}`, '-nodes', '-info'])
    expect(shown.stderr.toString()).toContain('PBES2, PBKDF2, AES-256-CBC, Iteration 150000')
    expect(shown.status).toBe(0)
    const text = shown.stdout.toString()
    expect(createPrivateKey(text).equals(key)).toBe(true)
    expect(text.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    expect(text.match(new RegExp(`friendlyName: ${HOST}`, 'g'))).toHaveLength(2)
    const wrong = openssl(['-in', path, '-passin', 'pass:wrong', '-nodes'])
    expect(wrong.status).not.toBe(0)
    expect((await files.read({ file, password })).kind).toBe('opened')
  })
})

describe('a file that is no good', () => {
  it('is refused with the reason', async () => {
    const file = await byOpenssl(newKey(), 'right')
    const certificatesAlone = await exported(ca.issue(HOST).chainPem, [
      ...['-nokeys', '-passout', 'pass:right'],
    ])
    const flipped = Buffer.from(file)
    flipped[file.length >> 1] = (flipped[file.length >> 1] ?? 0) ^ 1
    const why = async (bytes: Buffer, password = 'right') => {
      const read = await files.read({ file: bytes, password })
      return read.kind === 'refused' ? read.why : read.kind
    }
    expect(await why(file)).toBe('opened')
    expect(await why(file, 'wrong')).toBe('not-opened')
    expect(await why(file, '')).toBe('not-opened')
    expect(await why(flipped)).toBe('not-opened')
    expect(await why(file.subarray(0, 200))).toBe('not-pkcs12')
    expect(await why(Buffer.alloc(0))).toBe('not-pkcs12')
    expect(await why(Buffer.from('-----BEGIN CERTIFICATE-----'))).toBe('not-pkcs12')
    // Well-formed, but something else.
    expect(await why(derSequence(derObjectIdentifier('1.2.3')))).toBe('not-opened')
    expect(await why(certificatesAlone)).toBe('no-key')
  })

  it('that nests without end does not end the process', async () => {
    let bytes = der(DER_TAGS.octetString)
    for (let depth = 0; depth < 20_000; depth += 1) bytes = Buffer.concat([OPEN, bytes])
    expect((await files.read({ file: bytes, password: 'x' })).kind).toBe('refused')
  })

  it('that asks for hours of work is given up, while others are served', async () => {
    const file = withEndlessMac(await byOpenssl(newKey(), 'right', ['-iter', '2048']))
    let turns = 0
    const ticking = setInterval(() => {
      turns += 1
    }, 50)
    const impatient = createPkcs12Files({ jobFor: seconds(2) })
    const read = await impatient.read({ file, password: 'right' })
    clearInterval(ticking)
    expect(read).toEqual({ kind: 'refused', why: 'too-slow' })
    // The event loop went on all the while.
    expect(turns).toBeGreaterThan(20)
  })
})

/** A SEQUENCE of indefinite length: BER may be opened and never closed. */
const OPEN = Buffer.from([0x30, 0x80])

/** The file ends with how often the key of its MAC is hashed: now two thousand million times. */
function withEndlessMac(file: Buffer): Buffer {
  const iterations = Buffer.from([DER_TAGS.integer, 2, 0x08, 0x00])
  expect(file.subarray(-iterations.length)).toEqual(iterations)
  // What encloses it gets its lengths anew: the file (four octets of head) and its MacData (two).
  const body = file.subarray(4, -iterations.length)
  const macStart = body.lastIndexOf(Buffer.from([DER_TAGS.sequence, 0x41]))
  const mac = body.subarray(macStart + 2)
  const endless = der(DER_TAGS.integer, Buffer.from([0x7f, 0xff, 0xff, 0xff]))
  return derSequence(body.subarray(0, macStart), derSequence(mac, endless))
}
