import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import {
  after,
  type Clock,
  DER_TAGS,
  days,
  der,
  derBitString,
  derObjectIdentifier,
  derSequence,
  derUnsigned,
  type Random,
} from '../../kernel/index.ts'
import { contextCiphers } from '../../net/index.ts'
import type { ServedCertificate } from '../ports.ts'

// RFC 5280 §4.1, the least of it: version 1, no extensions, one name that says what it is. Written
// by hand, because node:crypto reads certificates and makes none.

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
  // Without a leading zero byte, so that the hex below is the number's own.
  serial.writeUInt8(0x40 | (serial.readUInt8(0) & 0x3f), 0)
  const certificate = selfSigned({ privateKey, publicKey, serial, now: clock.now() })
  const context = createSecureContext({
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: toPem(certificate),
    ciphers: contextCiphers('ec'),
  })
  const notAfter = after(clock.now(), VALIDITY)
  return { context, serial: serial.toString('hex').toUpperCase(), notAfter, isRevoked: false }
}

function selfSigned(facts: {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly serial: Buffer
  readonly now: Date
}): Buffer {
  const algorithm = derSequence(derObjectIdentifier(ECDSA_WITH_SHA256))
  const commonName = der(DER_TAGS.utf8String, Buffer.from('postern stand-in'))
  const attribute = derSequence(derObjectIdentifier(COMMON_NAME), commonName)
  const name = derSequence(der(DER_TAGS.set, attribute))
  const body = derSequence(
    derUnsigned(facts.serial),
    algorithm,
    name,
    derSequence(time(after(facts.now, days(-1))), time(after(facts.now, VALIDITY))),
    name,
    facts.publicKey.export({ type: 'spki', format: 'der' }),
  )
  return derSequence(body, algorithm, derBitString(sign('sha256', body, facts.privateKey)))
}

const COMMON_NAME = '2.5.4.3'
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'

/** GeneralizedTime `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5.2). */
function time(at: Date): Buffer {
  const digits = at.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')
  return der(DER_TAGS.generalizedTime, Buffer.from(`${digits}Z`))
}

function toPem(certificate: Buffer): string {
  const lines = certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
