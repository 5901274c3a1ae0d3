import { type Hostname, parseWireHostname } from '../kernel/index.ts'
import type { CertificateRow } from '../store/index.ts'
import type { SealContext } from '../vault/index.ts'
import type { Certificate, RenewalWindow } from './certificate.ts'
import { CertificateError } from './errors.ts'

/** Where the key of a certificate belongs. The edge opens it by this, too. */
export function keyContext(hostname: Hostname, certificateId: string): SealContext {
  return { purpose: 'certificate-key', owner: `${hostname}/${certificateId}`, version: 1 }
}

/** The columns of a certificate without its key. */
export const CERTIFICATE_COLUMNS = [
  'id',
  'hostname',
  'serial',
  'issuer',
  'not_before',
  'not_after',
  'renew_at',
  'renew_because',
  'chain_pem',
  'source',
  'key_type',
  'is_current',
  'created_at',
  'window_start',
  'window_end',
  'window_url',
  'ask_at',
  'revoked_at',
] as const satisfies readonly (keyof CertificateRow)[]

export type CertificateFacts = Pick<CertificateRow, (typeof CERTIFICATE_COLUMNS)[number]>

export function rowToCertificate(row: CertificateFacts): Certificate {
  const hostname = parseWireHostname(row.hostname)
  if (!hostname) {
    throw new CertificateError(
      'certs/damaged',
      `Certificate ${row.id} has an impossible hostname.`,
      {
        fix: 'Restore this row from a backup.',
      },
    )
  }
  return {
    id: row.id,
    hostname,
    serial: row.serial,
    issuer: row.issuer,
    notBefore: new Date(row.not_before),
    notAfter: new Date(row.not_after),
    renewAt: new Date(row.renew_at),
    renewBecause: row.renew_because,
    chainPem: row.chain_pem,
    source: row.source,
    keyType: row.key_type === 'rsa' ? 'rsa' : 'ec',
    isCurrent: row.is_current === 1,
    createdAt: new Date(row.created_at),
    window: toWindow(row),
    explanationUrl: row.window_url ?? undefined,
    askAt: toDate(row.ask_at),
    revokedAt: toDate(row.revoked_at),
  }
}

function toWindow({ window_start, window_end }: CertificateFacts): RenewalWindow | undefined {
  return window_start === null || window_end === null
    ? undefined
    : { start: new Date(window_start), end: new Date(window_end) }
}

function toDate(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms)
}

export function certificateToRow(certificate: Certificate): CertificateFacts {
  return {
    id: certificate.id,
    hostname: certificate.hostname,
    serial: certificate.serial,
    issuer: certificate.issuer,
    not_before: certificate.notBefore.getTime(),
    not_after: certificate.notAfter.getTime(),
    renew_at: certificate.renewAt.getTime(),
    renew_because: certificate.renewBecause,
    chain_pem: certificate.chainPem,
    source: certificate.source,
    key_type: certificate.keyType,
    is_current: certificate.isCurrent ? 1 : 0,
    created_at: certificate.createdAt.getTime(),
    window_start: certificate.window?.start.getTime() ?? null,
    window_end: certificate.window?.end.getTime() ?? null,
    window_url: certificate.explanationUrl ?? null,
    ask_at: certificate.askAt?.getTime() ?? null,
    revoked_at: certificate.revokedAt?.getTime() ?? null,
  }
}

/** What remains where a key was. */
export const NO_KEY = Buffer.alloc(0)
