import type { CertificateRow, HitRow } from '../../src/store/index.ts'

/** The newest migration there is. */
export const SCHEMA_VERSION = 3

/** A host's row, young and well. */
export function aHostRow(hostname: string, changes: { readonly state?: string } = {}) {
  return {
    hostname,
    domain: hostname.split('.').slice(1).join('.'),
    state: 'active',
    checks: '[]',
    https_safe: 0,
    failures: 0,
    created_at: AN_INSTANT,
    updated_at: AN_INSTANT,
    ...changes,
  }
}

export function aCertificateRow(changes: Partial<CertificateRow> = {}): CertificateRow {
  return {
    id: 'certificate-1',
    hostname: 'email.customer.test',
    serial: '0A',
    issuer: 'Test CA',
    not_before: AN_INSTANT,
    not_after: AN_INSTANT + 90 * 86_400_000,
    renew_at: AN_INSTANT + 60 * 86_400_000,
    renew_because: 'two-thirds-used',
    chain_pem: '-----BEGIN CERTIFICATE-----',
    sealed_key: Buffer.from([1, 2, 3, 0, 255]),
    source: 'test',
    is_current: 1,
    created_at: AN_INSTANT,
    window_start: null,
    window_end: null,
    window_url: null,
    ask_at: null,
    revoked_at: null,
    activated_at: AN_INSTANT,
    warned_days: null,
    key_type: 'ec',
    ...changes,
  }
}

export function aHitRow(changes: Partial<HitRow> = {}): HitRow {
  return {
    id: 'hit-1',
    at: AN_INSTANT,
    kind: 'click',
    hostname: 'email.customer.test',
    reference: 'message-1',
    target: 'https://customer.test/',
    address: '192.0.2.1',
    user_agent: 'Mozilla/5.0',
    ...changes,
  }
}

const AN_INSTANT = Date.UTC(2026, 10, 22, 12)
