import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { NetError, parseChain } from '../net/index.ts'
import { badUpload } from './bad-upload.ts'
import { CHAIN_BYTES_MAX } from './certificate.ts'
import type { Pkcs12Files } from './pkcs12/pkcs12-files.ts'
import type { Pkcs12Refusal } from './pkcs12/pkcs12-job.ts'

/** What a customer brings. */
export type CertificateUpload =
  /** Text around the blocks is ignored; both may be the same file. */
  | { readonly pem: { readonly chain: string; readonly key: string } }
  | { readonly pkcs12: Buffer; readonly password: string }

/** What was in it, not yet judged. */
export interface ReadUpload {
  /** In the order of the file. */
  readonly certificates: readonly X509Certificate[]
  readonly privateKey: KeyObject
}

/** An RSA key of 4096 bits has 3.3 kB; people paste chain and key into one file. */
const KEY_BYTES_MAX = CHAIN_BYTES_MAX
const PKCS12_BYTES_MAX = 128 * 1024

/** Throws `certs/bad-upload`. */
export async function readUpload(
  upload: CertificateUpload,
  pkcs12: Pick<Pkcs12Files, 'read'>,
): Promise<ReadUpload> {
  return 'pem' in upload ? readPem(upload.pem) : readPkcs12(upload, pkcs12)
}

function readPem({ chain, key }: { readonly chain: string; readonly key: string }): ReadUpload {
  refuseTooLarge(Buffer.byteLength(chain), CHAIN_BYTES_MAX)
  refuseTooLarge(Buffer.byteLength(key), KEY_BYTES_MAX)
  return { certificates: readCertificates(chain), privateKey: readPrivateKey(key) }
}

function readCertificates(pem: string): readonly X509Certificate[] {
  try {
    return parseChain(pem)
  } catch (cause) {
    if (!(cause instanceof NetError)) throw cause
    throw badUpload('readable', `The certificate cannot be read: ${cause.message}`, {
      fix: 'Bring the file that the CA calls "full chain": PEM, beginning with BEGIN CERTIFICATE.',
      cause,
    })
  }
}

// PKCS#8, PKCS#1 and SEC 1 (RFC 7468, RFC 8017, RFC 5915). The body holds no '-'.
const KEY_BLOCK = /-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----[A-Za-z0-9+/=\s]*-----END \1-----/g

function readPrivateKey(pem: string): KeyObject {
  // PKCS#8 says so in its first line, the older forms in a header of the block (RFC 1421).
  if (/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type:\s*4,\s*ENCRYPTED/.test(pem)) {
    throw badUpload('key-readable', 'The private key is encrypted with a password.', {
      fix: 'Decrypt it with `openssl pkey -in key.pem -out plain.pem`, or bring a PKCS#12 file.',
    })
  }
  const [block, ...others] = pem.match(KEY_BLOCK) ?? []
  if (block === undefined) {
    throw badUpload('key-readable', 'There is no private key in PEM form.', {
      fix: 'Bring the key that the certificate was requested with: BEGIN PRIVATE KEY.',
    })
  }
  if (others.length > 0) {
    throw badUpload('key-readable', 'There is more than one private key.', {
      fix: 'Bring the one that belongs to the certificate.',
    })
  }
  return toKey(block)
}

async function readPkcs12(
  { pkcs12: file, password }: { readonly pkcs12: Buffer; readonly password: string },
  pkcs12: Pick<Pkcs12Files, 'read'>,
): Promise<ReadUpload> {
  refuseTooLarge(file.length, PKCS12_BYTES_MAX)
  const read = await pkcs12.read({ file, password })
  if (read.kind === 'refused') throw whyNotOpened(read.why)
  try {
    return { certificates: read.certificates.map(toCertificate), privateKey: toKey(read.keyDer) }
  } finally {
    read.keyDer.fill(0)
  }
}

function toCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der)
  } catch (cause) {
    throw badUpload('readable', 'A certificate in the file cannot be read.', {
      fix: 'Export the file anew, or bring PEM.',
      cause,
    })
  }
}

function toKey(key: string | Buffer): KeyObject {
  try {
    return typeof key === 'string'
      ? createPrivateKey(key)
      : createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  } catch (cause) {
    throw badUpload('key-readable', 'The private key cannot be read.', {
      fix: 'Check it with `openssl pkey -in key.pem -check -noout`.',
      cause,
    })
  }
}

function whyNotOpened(why: Pkcs12Refusal): Error {
  const { check, sentence, fix } = REFUSALS[why]
  return badUpload(check, sentence, { fix })
}

const CONVERT =
  'Convert it: `openssl pkcs12 -in file.pfx -nodes -out all.pem`, and bring all.pem as chain and key.'

const REFUSALS = {
  'not-pkcs12': {
    check: 'readable',
    sentence: 'This is no PKCS#12 file.',
    fix: 'Bring the .pfx or .p12 as it is, binary; or bring PEM.',
  },
  'not-opened': {
    check: 'file-opens',
    sentence: 'The file does not open with this password.',
    fix: `Check the password. If it is right, the file is protected in an uncommon way. ${CONVERT}`,
  },
  'too-slow': {
    check: 'file-opens',
    sentence: 'The file asks for too much work to be opened.',
    fix: CONVERT,
  },
  'no-key': {
    check: 'key-readable',
    sentence: 'There is no private key in the file.',
    fix: 'Export it again, with the private key.',
  },
  'several-keys': {
    check: 'key-readable',
    sentence: 'There is more than one private key in the file.',
    fix: 'Export the one certificate with its key alone.',
  },
  'no-certificate': {
    check: 'readable',
    sentence: 'There is no certificate in the file.',
    fix: 'Export it again, with the certificate and its chain.',
  },
  'too-many-certificates': {
    check: 'readable',
    sentence: 'There are more certificates in the file than any chain has.',
    fix: 'Export the one certificate with its own chain alone.',
  },
} as const satisfies Record<Pkcs12Refusal, unknown>

function refuseTooLarge(bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return
  throw badUpload('size', `The file is larger than ${bytesMax / 1024} KiB.`, {
    fix: 'Bring the certificate, its chain and its key, and nothing else.',
  })
}
