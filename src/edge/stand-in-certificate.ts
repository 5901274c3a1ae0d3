import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { after, type Clock, days, type Random } from '../kernel/index.ts'
import { contextCiphers } from '../net/index.ts'
import type { ServedCertificate } from './ports.ts'

// RFC 5280 §4.1, the least of it: version 1, no extensions, one name that says what it is. DER is
// written by hand, because node:crypto reads certificates and makes none.

/** The stand-in lives as long as its process; nobody checks its dates. */
const VALIDITY = days(3650)

/**
 * Makes the certificate shown for hosts of ours that have none yet, so that a CA that was sent to
 * https may still fetch a challenge there (it does not verify). Its key never leaves this process.
 */
export function makeStandIn({
  clock,
  random,
}: {
  readonly clock: Clock
  readonly random: Random
}): ServedCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const serial = random.bytes(16)
  // Positive, and without a leading zero byte (X.690 §8.3.2).
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const certificate = selfSigned({ privateKey, publicKey, serial, now: clock.now() })
  const context = createSecureContext({
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: toPem(certificate),
    ciphers: contextCiphers,
  })
  return { context, serial: serial.toString('hex').toUpperCase() }
}

function selfSigned(facts: {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly serial: Buffer
  readonly now: Date
}): Buffer {
  const name = sequence(set(sequence(oid(COMMON_NAME), utf8('postern stand-in'))))
  const body = sequence(
    der(0x02, facts.serial),
    sequence(oid(ECDSA_WITH_SHA256)),
    name,
    sequence(time(after(facts.now, days(-1))), time(after(facts.now, VALIDITY))),
    name,
    facts.publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha256', body, facts.privateKey)
  return sequence(body, sequence(oid(ECDSA_WITH_SHA256)), bits(signature))
}

/** 2.5.4.3 and 1.2.840.10045.4.3.2, in their encoded form. */
const COMMON_NAME = '550403'
const ECDSA_WITH_SHA256 = '2a8648ce3d040302'

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, Buffer.concat(parts))
const set = (...parts: readonly Buffer[]): Buffer => der(0x31, Buffer.concat(parts))
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text))
const bits = (bytes: Buffer): Buffer => der(0x03, Buffer.concat([Buffer.of(0), bytes]))
/** GeneralizedTime `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5.2). */
const time = (at: Date): Buffer =>
  der(0x18, Buffer.from(`${at.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`))

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content])
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content])
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content])
}

function toPem(certificate: Buffer): string {
  const lines = certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
