import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
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
} from '../../kernel/index.ts'

/** A certificate that vouches for itself, with its key, both PEM. */
export interface SelfSigned {
  readonly certificatePem: string
  readonly privateKeyPem: string
}

/**
 * Makes a certificate for a server on this machine (`localhost`, 127.0.0.1), valid for a month.
 * In-process, because a machine with Node and git need not have the openssl command.
 */
export function createSelfSigned(clock: Clock): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const ecdsaWithSha256 = derSequence(derObjectIdentifier('1.2.840.10045.4.3.2'))
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(15)])
  // OpenSSL tells roots apart by their names.
  const name = distinguishedName(`Postern local test server ${serial.toString('hex')}`)
  const toBeSigned = derSequence(
    der(0xa0, derUnsigned(Buffer.from([2]))), // X.509 version 3
    derUnsigned(serial),
    ecdsaWithSha256,
    name,
    derSequence(
      generalizedTime(after(clock.now(), days(-1))),
      generalizedTime(after(clock.now(), days(30))),
    ),
    name,
    publicKey,
    der(0xa3, derSequence(basicConstraintsCa(), subjectAlternativeNames())),
  )
  const signature = sign('sha256', toBeSigned, createPrivateKey(privateKey))
  const certificate = derSequence(toBeSigned, ecdsaWithSha256, derBitString(signature))
  return { certificatePem: toPem(certificate), privateKeyPem: privateKey }
}

function distinguishedName(commonName: string): Buffer {
  const value = der(DER_TAGS.utf8String, Buffer.from(commonName))
  return derSequence(der(DER_TAGS.set, derSequence(derObjectIdentifier('2.5.4.3'), value)))
}

/** `YYYYMMDDHHMMSSZ` */
function generalizedTime(at: Date): Buffer {
  const text = `${at.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  return der(DER_TAGS.generalizedTime, Buffer.from(text))
}

/** Clients trust it as its own root, so it must be allowed to be one. */
function basicConstraintsCa(): Buffer {
  const value = derSequence(der(DER_TAGS.boolean, Buffer.from([0xff])))
  return derSequence(derObjectIdentifier('2.5.29.19'), der(DER_TAGS.octetString, value))
}

function subjectAlternativeNames(): Buffer {
  const names = derSequence(
    der(0x82, Buffer.from('localhost')),
    der(0x87, Buffer.from([127, 0, 0, 1])),
  )
  return derSequence(derObjectIdentifier('2.5.29.17'), der(DER_TAGS.octetString, names))
}

function toPem(certificate: Buffer): string {
  const lines = certificate.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
