import type { KeyObject, X509Certificate } from 'node:crypto'
import { after, type Hostname } from '../kernel/index.ts'
import {
  issuerName,
  type KeyType,
  keyTypeOf,
  sanHolds,
  sanNames,
  subjectName,
} from '../net/index.ts'
import { badUpload } from './bad-upload.ts'
import {
  type Chain,
  CLOCK_SKEW_MAX,
  isForServers,
  isIssuedBy,
  toVerifiedChain,
  type VerifiedChain,
} from './certificate.ts'

/** What a customer brought, and for which host. */
export interface OwnChain {
  /** In any order; what does not belong to the chain is left out. */
  readonly certificates: readonly X509Certificate[]
  readonly privateKey: KeyObject
  readonly hostname: Hostname
  readonly now: Date
}

/**
 * Tests a customer's own certificate before it is kept: for its key and its host, in validity, strong
 * enough, complete. The chain is put in order and its root left out: clients have it. Throws
 * `certs/bad-upload` with one sentence and what helps.
 */
export function verifyOwn({ certificates, privateKey, hostname, now }: OwnChain): VerifiedChain {
  const keyType = requireStrongKey(privateKey)
  const leaf = leafOf(certificates, privateKey, hostname)
  refuseOtherHosts(leaf, hostname)
  const chain = orderChain(leaf, certificates, now)
  for (const certificate of chain) {
    refuseOutOfValidity(certificate, leaf, now)
    refuseWeakSignature(certificate, leaf)
  }
  return toVerifiedChain(chain, keyType)
}

const RSA_BITS_MIN = 2048
/** By 8192 bits a signature takes ten times as long again, in which a worker serves nobody else. */
const RSA_BITS_MAX = 4096
const CURVES = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
])

const NEW_KEY = 'Make a new key and have the certificate issued again: P-256, or RSA of 2048 bits.'

function requireStrongKey(key: KeyObject): KeyType {
  const keyType = keyTypeOf(key)
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  if (keyType === 'rsa' && modulusLength >= RSA_BITS_MIN && modulusLength <= RSA_BITS_MAX) {
    return keyType
  }
  if (keyType === 'ec' && CURVES.has(namedCurve)) return keyType
  const what =
    keyType === 'rsa'
      ? `RSA with ${modulusLength} bits`
      : `of the kind ${namedCurve || key.asymmetricKeyType}`
  throw badUpload(
    'key-strength',
    `The key is ${what}; RSA with ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits, P-256 and P-384 are served.`,
    { fix: NEW_KEY },
  )
}

/** The one for this key; of several, the one that names the host and lasts longest. */
function leafOf(
  certificates: readonly X509Certificate[],
  privateKey: KeyObject,
  hostname: Hostname,
): X509Certificate {
  const candidates = certificates
    .filter((certificate) => certificate.checkPrivateKey(privateKey))
    .toSorted(
      (one, other) =>
        Number(sanHolds(other, hostname)) - Number(sanHolds(one, hostname)) ||
        other.validToDate.getTime() - one.validToDate.getTime(),
    )
  const [leaf] = candidates
  if (!leaf) {
    throw badUpload('key-matches', 'The private key belongs to none of the certificates.', {
      fix: 'Bring the key that this certificate was requested with.',
    })
  }
  return leaf
}

const NAMES_SHOWN_MAX = 5

function refuseOtherHosts(leaf: X509Certificate, hostname: Hostname): void {
  if (leaf.ca) {
    throw badUpload('for-servers', 'This is the certificate of a CA, not of a host.', {
      fix: `Bring the certificate that was issued for ${hostname}.`,
    })
  }
  if (!sanHolds(leaf, hostname)) {
    const names = sanNames(leaf)
    const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ') || 'no host'
    const more = names.length > NAMES_SHOWN_MAX ? ` and ${names.length - NAMES_SHOWN_MAX} more` : ''
    throw badUpload('names-host', `The certificate is for ${shown}${more}, not for ${hostname}.`, {
      fix: `Have it issued for ${hostname}, as a subject alternative name.`,
    })
  }
  if (!isForServers(leaf)) {
    throw badUpload('for-servers', 'The certificate is not for TLS servers.', {
      fix: 'Have it issued with the extended key usage "server authentication".',
    })
  }
}

/** From the leaf up, as far as the file goes. Every link is verified. */
function orderChain(
  leaf: X509Certificate,
  certificates: readonly X509Certificate[],
  now: Date,
): Chain {
  if (isSelfSigned(leaf)) {
    throw badUpload('complete', 'The certificate is signed by itself: no browser trusts it.', {
      fix: 'Have it issued by a CA, or leave the host to ours.',
    })
  }
  const issuers: X509Certificate[] = []
  for (let last = leaf; !isSelfSigned(last); ) {
    const next = issuerOf(last, certificates, now)
    if (!next || issuers.includes(next)) break
    issuers.push(next)
    last = next
  }
  if (issuers.length === 0) throw withoutIssuer(leaf, certificates)
  return [leaf, ...issuers.filter((issuer) => !isSelfSigned(issuer))]
}

/** A CA may have several certificates for one key: one that is in validity goes first. */
function issuerOf(
  subject: X509Certificate,
  certificates: readonly X509Certificate[],
  now: Date,
): X509Certificate | undefined {
  const signers = certificates.filter((certificate) => isIssuedBy(subject, certificate))
  return signers.find(({ validToDate }) => validToDate > now) ?? signers[0]
}

function withoutIssuer(leaf: X509Certificate, certificates: readonly X509Certificate[]): Error {
  const other = certificates.find((certificate) => certificate.ca)
  const instead = other ? ` ${subjectName(other)}, which is there, has not signed it.` : ''
  return badUpload(
    'complete',
    `The intermediate certificate of ${issuerName(leaf)} is missing.${instead}`,
    { fix: 'Bring the whole chain: your CA offers it as "full chain" or "CA bundle".' },
  )
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey)
}

function refuseOutOfValidity(certificate: X509Certificate, leaf: X509Certificate, now: Date): void {
  const { validFromDate, validToDate } = certificate
  const whose = nameOf(certificate, leaf)
  if (validToDate <= now) {
    throw badUpload('in-validity', `${whose} expired on ${dayOf(validToDate)}.`, {
      fix: certificate === leaf ? 'Bring the renewed one.' : 'Bring the current chain of your CA.',
    })
  }
  if (validFromDate > after(now, CLOCK_SKEW_MAX)) {
    const from = validFromDate.toISOString()
    throw badUpload('in-validity', `${whose} is not valid before ${from}.`, {
      fix: 'Bring it again then; what is served now stays.',
    })
  }
}

/** RSA and ECDSA with SHA-256, -384 or -512, and RSASSA-PSS (RFC 8017, RFC 5758). */
const STRONG_SIGNATURES = new Set([
  ...['1.2.840.113549.1.1.11', '1.2.840.113549.1.1.12', '1.2.840.113549.1.1.13'],
  ...['1.2.840.10045.4.3.2', '1.2.840.10045.4.3.3', '1.2.840.10045.4.3.4'],
  '1.2.840.113549.1.1.10',
])

function refuseWeakSignature(certificate: X509Certificate, leaf: X509Certificate): void {
  const { signatureAlgorithm, signatureAlgorithmOid, publicKey } = certificate
  const whose = nameOf(certificate, leaf)
  if (!STRONG_SIGNATURES.has(signatureAlgorithmOid)) {
    const algorithm = signatureAlgorithm ?? signatureAlgorithmOid
    throw badUpload('signatures', `${whose} is signed with ${algorithm}: browsers refuse it.`, {
      fix: 'Have it issued again, with SHA-256.',
    })
  }
  const { modulusLength = RSA_BITS_MIN } = publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength < RSA_BITS_MIN) {
    throw badUpload('signatures', `${whose} has an RSA key of ${modulusLength} bits.`, {
      fix: 'Have the certificate issued by a CA with a stronger key.',
    })
  }
}

function nameOf(certificate: X509Certificate, leaf: X509Certificate): string {
  return certificate === leaf
    ? 'The certificate'
    : `The intermediate certificate of ${subjectName(certificate)}`
}

function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10)
}
