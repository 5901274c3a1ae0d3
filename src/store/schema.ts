import type { Generated } from 'kysely'

/**
 * The tables as Kysely sees them, the same on both engines. Instants are whole milliseconds since
 * 1970 (`…_at`), truth values are 0 or 1, JSON is text: so rows read alike from SQLite and
 * PostgreSQL. Columns are explained in `certs-store/migrations`.
 */
export interface Schema {
  readonly schema_migrations: SchemaMigrationRow
  readonly key_checks: KeyCheckRow
  readonly hosts: HostTable
  readonly host_history: HostHistoryRow
  readonly certificates: CertificateRow
  readonly acme_accounts: AcmeAccountRow
  readonly acme_orders: AcmeOrderRow
  readonly challenges: ChallengeRow
  readonly link_keys: LinkKeyRow
  readonly hits: HitRow
  readonly edge_nodes: EdgeNodeRow
  readonly edge_confirmations: EdgeConfirmationRow
}

export interface SchemaMigrationRow {
  version: number
  name: string
  applied_at: number
}

/** One sealed known value per key-encryption key: opening it proves that the key is the right one. */
export interface KeyCheckRow {
  key_id: string
  sealed: Buffer
  created_at: number
}

interface HostTable {
  hostname: string
  domain: string
  state: string
  reason_code: string | null
  reason_sentence: string | null
  reason_fix: string | null
  checks: string
  https_safe: number
  failures: number
  next_attempt_at: number | null
  created_at: number
  updated_at: number
  lease_holder: string | null
  lease_until: number | null
  lease_fence: Generated<number>
}

export interface HostHistoryRow {
  id: string
  hostname: string
  at: number
  step: string
  outcome: string
  code: string | null
  sentence: string
}

export interface CertificateRow {
  id: string
  hostname: string
  serial: string
  issuer: string
  not_before: number
  not_after: number
  renew_at: number
  renew_because: string
  chain_pem: string
  sealed_key: Buffer
  source: string
  is_current: number
  created_at: number
}

export interface AcmeAccountRow {
  id: string
  directory_url: string
  sealed_key: Buffer
  url: string | null
  created_at: number
}

export interface AcmeOrderRow {
  id: string
  account_id: string
  hostname: string
  state: string
  url: string | null
  sealed_key: Buffer
  certificate_id: string | null
  problem: string | null
  created_at: number
  updated_at: number
}

export interface ChallengeRow {
  hostname: string
  token: string
  key_authorization: string
  expires_at: number
}

export interface LinkKeyRow {
  id: string
  sealed: Buffer
  created_at: number
  retired_at: number | null
}

export interface HitRow {
  id: string
  at: number
  kind: string
  hostname: string
  reference: string
  target: string | null
  address: string
  user_agent: string
}

export interface EdgeNodeRow {
  id: string
  started_at: number
  seen_at: number
}

export interface EdgeConfirmationRow {
  hostname: string
  node_id: string
  certificate_id: string
  confirmed_at: number
}
