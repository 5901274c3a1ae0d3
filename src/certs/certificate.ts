/**
 * A certificate, and the tests it goes through before it is used (RFC 5280 §6, the part that needs
 * no trust store: whether clients trust the CA is the operator's choice of a CA).
 */
import assert from 'node:assert/strict'
import type { KeyObject, X509Certificate } from 'node:crypto'
import { after, type Hostname, hours } from '../kernel/index.ts'
import {
  issuerName,
  type KeyType,
  keyTypeOf,
  NetError,
  parseChain,
  sanHolds,
} from '../net/index.ts'
import { CertificateError, type ChainCheck } from './errors.ts'

/** A certificate that we hold, without its key. */
export interface Certificate {
  readonly id: string
  readonly hostname: Hostname
  /** Hexadecimal, in capitals. */
  readonly serial: string
  /** Who signed it, as its issuer calls itself. */
  readonly issuer: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly renewAt: Date
  readonly renewBecause: string
  /** Leaf first. */
  readonly chainPem: string
  /** The CA it was asked of, as `acme.ca` names it, or `customer`: see `CUSTOMER`. */
  readonly source: string
  readonly keyType: KeyType
  /** Whether the edge serves this one. */
  readonly isCurrent: boolean
  readonly createdAt: Date
  /** When the CA suggests to renew it (RFC 9773). */
  readonly window: RenewalWindow | undefined
  /** Where the CA explains why. */
  readonly explanationUrl: string | undefined
  /** When the CA is to be asked for its window (again). */
  readonly askAt: Date | undefined
  readonly revokedAt: Date | undefined
}

export interface RenewalWindow {
  readonly start: Date
  readonly end: Date
}

/** The source of a certificate that the customer brought: we do not renew it. */
export const CUSTOMER = 'customer'

/** A chain that passed every test, written anew: certificates and nothing else. */
export interface VerifiedChain {
  readonly chainPem: string
  readonly serial: string
  readonly issuer: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly keyType: KeyType
}

export interface IssuedChain {
  /** As the CA sent it. */
  readonly chainPem: string
  readonly privateKey: KeyObject
  readonly hostname: Hostname
  readonly now: Date
}

/** A public chain has 3–6 kB. */
export const CHAIN_BYTES_MAX = 64 * 1024
/** CAs date certificates back by an hour for clients whose clocks are slow; ours may be, too. */
export const CLOCK_SKEW_MAX = hours(1)

/**
 * Tests what a CA sent before anything uses it: readable and of sane size, for our key and our
 * host, in validity, complete, each link signed by the next. A leaf alone is refused: clients do
 * not fetch what is missing. Throws `certs/unusable` with the check that failed.
 */
export function verifyIssued({ chainPem, privateKey, hostname, now }: IssuedChain): VerifiedChain {
  if (Buffer.byteLength(chainPem) > CHAIN_BYTES_MAX) {
    throw unusable('size', `is larger than ${CHAIN_BYTES_MAX / 1024} KiB`)
  }
  if (chainPem.includes('PRIVATE KEY-----')) {
    throw unusable('no-private-key', 'comes with a private key, which is no secret any more')
  }
  const chain = readChain(chainPem)
  const [leaf] = chain
  if (!leaf.checkPrivateKey(privateKey)) {
    throw unusable('key-matches', 'is for another key than the one it was asked for')
  }
  if (!sanHolds(leaf, hostname)) {
    throw unusable('names-host', `does not name ${hostname}`)
  }
  if (!isForServers(leaf)) throw unusable('for-servers', 'is not for TLS servers')
  refuseOutOfValidity(chain, now)
  refuseBrokenLinks(chain)
  const keyType = keyTypeOf(privateKey)
  assert(keyType, 'a key that we made is of a kind that we serve')
  return toVerifiedChain(chain, keyType)
}

/** Leaf first. */
export type Chain = readonly [X509Certificate, ...X509Certificate[]]

export function toVerifiedChain(chain: Chain, keyType: KeyType): VerifiedChain {
  const [leaf] = chain
  return {
    chainPem: chain.map((certificate) => certificate.toString()).join(''),
    serial: leaf.serialNumber,
    issuer: issuerName(leaf),
    notBefore: leaf.validFromDate,
    notAfter: leaf.validToDate,
    keyType,
  }
}

function readChain(chainPem: string): Chain {
  try {
    return parseChain(chainPem)
  } catch (cause) {
    if (cause instanceof NetError) throw unusable('readable', 'cannot be read', cause)
    throw cause
  }
}

const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1'

/** Without any extended key usage a certificate is good for everything (RFC 5280 §4.2.1.12). */
export function isForServers({ keyUsage }: { readonly keyUsage?: readonly string[] }): boolean {
  return keyUsage === undefined || keyUsage.includes(SERVER_AUTHENTICATION)
}

/** An expired intermediate breaks the chain for clients just as an expired leaf does. */
function refuseOutOfValidity(chain: Chain, now: Date): void {
  for (const { validFromDate, validToDate } of chain) {
    if (validFromDate > after(now, CLOCK_SKEW_MAX)) {
      const from = validFromDate.toISOString()
      throw unusable('in-validity', `or its issuer's is not valid before ${from}`)
    }
    if (validToDate <= now) {
      throw unusable('in-validity', `or its issuer's expired on ${validToDate.toISOString()}`)
    }
  }
}

function refuseBrokenLinks(chain: Chain): void {
  if (chain.length === 1) {
    throw unusable('complete', 'comes without the certificate of its issuer')
  }
  for (const [index, issuer] of chain.entries()) {
    const subject = chain[index - 1]
    if (subject && !isIssuedBy(subject, issuer)) {
      throw unusable('links', `is in a chain whose link ${index} is not signed by the next`)
    }
  }
}

/** Did `issuer` sign it, as a CA? */
export function isIssuedBy(subject: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey)
}

function unusable(check: ChainCheck, what: string, cause?: unknown): CertificateError {
  return new CertificateError('certs/unusable', `The certificate that the CA sent ${what}.`, {
    check,
    cause,
    fix: 'Nothing was changed. If the next one is like it, ask the CA, or choose another one.',
  })
}
