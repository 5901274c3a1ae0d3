/** Certificates as `node:crypto` reads them (RFC 5280), from PEM chains (RFC 8555 §9.1). */
import { type KeyObject, X509Certificate } from 'node:crypto'
import type { Hostname } from '../kernel/index.ts'
import { NetError } from './errors.ts'

/** Public chains have two or three links; more than this is somebody else's bundle. */
const CHAIN_LINKS_MAX = 8
// The body holds no '-', so that the match is linear in the input, whatever the input.
const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g

/**
 * Reads the certificates of a PEM chain in their order, leaf first; text around them is ignored.
 * Checks no signature. The caller bounds the size. Throws `net/unreadable-chain`.
 */
export function parseChain(pem: string): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.match(CERTIFICATE_BLOCK) ?? []
  if (blocks.length > CHAIN_LINKS_MAX) {
    throw unreadable(`The chain has ${blocks.length} certificates, more than anybody needs.`)
  }
  const [leaf, ...issuers] = blocks.map(parseCertificate)
  if (leaf) return [leaf, ...issuers]
  throw unreadable('There is no PEM certificate in it.')
}

function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw unreadable('One of the certificates cannot be read.', cause)
  }
}

function unreadable(message: string, cause?: unknown): NetError {
  return new NetError('net/unreadable-chain', message, { cause })
}

/** Does the certificate name this host as a subjectAltName? The common name does not count. */
export function sanHolds(certificate: X509Certificate, hostname: Hostname): boolean {
  // `f*.example` is no wildcard to browsers (RFC 6125 §6.4.3, RFC 9525 §6.3).
  const rules = { subject: 'never', partialWildcards: false } as const
  return certificate.checkHost(hostname, rules) !== undefined
}

/** The names of hosts in it, as they are written there. */
export function sanNames({ subjectAltName }: X509Certificate): readonly string[] {
  const entries = subjectAltName?.split(', ') ?? []
  return entries.flatMap((entry) => (entry.startsWith('DNS:') ? [entry.slice('DNS:'.length)] : []))
}

/** Who issued it, for people: the common name, else the organisation, else the whole name. */
export function issuerName({ issuer }: X509Certificate): string {
  return readableName(issuer)
}

/** Whose it is, for people. Empty where only the subjectAltName says. */
export function subjectName({ subject }: X509Certificate): string {
  // Node says `undefined` of an empty subject where its types do not.
  return typeof subject === 'string' ? readableName(subject) : ''
}

function readableName(name: string): string {
  const attributes = new Map(
    name.split('\n').map((line): [string, string] => {
      const cut = line.indexOf('=')
      return [line.slice(0, cut), line.slice(cut + 1)]
    }),
  )
  return attributes.get('CN') ?? attributes.get('O') ?? name.replaceAll('\n', ', ')
}

/** The kinds of keys that we serve TLS with. */
export type KeyType = 'ec' | 'rsa'

/** `undefined` for keys that browsers do not take in a certificate (Ed25519, DSA, RSA-PSS). */
export function keyTypeOf({
  asymmetricKeyType: type,
}: Pick<KeyObject, 'asymmetricKeyType'>): KeyType | undefined {
  return type === 'ec' || type === 'rsa' ? type : undefined
}
