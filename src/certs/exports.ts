import { createPrivateKey } from 'node:crypto'
import { Redacted } from '../kernel/index.ts'
import { parseChain } from '../net/index.ts'
import type { Store } from '../store/index.ts'
import { toSealedBytes, type Vault } from '../vault/index.ts'
import { notFound } from './activation.ts'
import type { Certificate } from './certificate.ts'
import { CERTIFICATE_COLUMNS, keyContext, rowToCertificate } from './certificate-row.ts'
import { CertificateError } from './errors.ts'
import type { Pkcs12Files } from './pkcs12/pkcs12-files.ts'

export interface ExportDeps {
  readonly store: Pick<Store, 'db'>
  readonly vault: Pick<Vault, 'open'>
}

export async function exportKey(id: string, deps: ExportDeps): Promise<Redacted<string>> {
  const { keyPem } = await openKey(id, deps)
  try {
    return new Redacted(keyPem.toString())
  } finally {
    keyPem.fill(0)
  }
}

export async function exportPkcs12(
  id: string,
  password: string,
  { pkcs12, ...deps }: ExportDeps & { readonly pkcs12: Pick<Pkcs12Files, 'write'> },
): Promise<Redacted<Buffer>> {
  requireStrongPassword(password)
  const { certificate, keyPem } = await openKey(id, deps)
  try {
    const keyDer = createPrivateKey(keyPem).export({ format: 'der', type: 'pkcs8' })
    const chain = parseChain(certificate.chainPem).map(({ raw }) => raw)
    const file = await pkcs12.write({ chain, keyDer, password, name: certificate.hostname })
    return new Redacted(file)
  } finally {
    keyPem.fill(0)
  }
}

const PASSWORD_CHARACTERS_MIN = 8
const PASSWORD_CHARACTERS_MAX = 256

/** The file leaves the house: nothing but this password protects the key in it. */
function requireStrongPassword({ length }: string): void {
  if (length >= PASSWORD_CHARACTERS_MIN && length <= PASSWORD_CHARACTERS_MAX) return
  const bounds = `${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX}`
  throw new CertificateError(
    'certs/bad-password',
    `The password of a PKCS#12 file has ${bounds} characters.`,
    { fix: 'Choose a longer one, or export PEM.' },
  )
}

/** The caller zeroes the key. */
async function openKey(
  id: string,
  { store, vault }: ExportDeps,
): Promise<{ readonly certificate: Certificate; readonly keyPem: Buffer }> {
  const row = await store.db
    .selectFrom('certificates')
    .select([...CERTIFICATE_COLUMNS, 'sealed_key'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) throw notFound(id)
  if (row.sealed_key.length === 0) {
    throw new CertificateError('certs/key-destroyed', `The key of certificate ${id} was destroyed.`)
  }
  const certificate = rowToCertificate(row)
  const context = keyContext(certificate.hostname, id)
  return { certificate, keyPem: vault.open(toSealedBytes(row.sealed_key), context) }
}
