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
  readonly ticket_secrets: TicketSecretRow
  readonly hits: HitRow
  readonly edge_nodes: EdgeNodeTable
  readonly edge_confirmations: EdgeConfirmationRow
  readonly edge_rehearsals: EdgeRehearsalRow
  readonly accounts: AccountRow
  readonly host_claims: HostClaimRow
  readonly fair_shares: FairShareRow
  readonly acme_ledger: AcmeLedgerRow
  readonly acme_names: AcmeNameRow
  readonly acme_authorities: AcmeAuthorityRow
  readonly events: EventRow
  readonly webhooks: WebhookTable
  readonly webhook_deliveries: WebhookDeliveryRow
  readonly key_rotations: KeyRotationRow
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
  account: Generated<string>
  priority: Generated<number>
  queue_rank: number | null
  queued_at: number | null
  renewal_asked_at: number | null
  away_at: number | null
  left_at: number | null
  leave_at: number | null
  ceased_at: number | null
  ready_at: number | null
  looked_at: number | null
  visited_at: number | null
  certificate_from: Generated<string>
  take_over: Generated<number>
  told: string | null
  claim_token: string | null
  released_by: string | null
}

export interface HostHistoryRow {
  id: string
  hostname: string
  at: number
  step: string
  outcome: string
  code: string | null
  sentence: string
  notice: string | null
  account: string | null
  certificate_id: string | null
  told_at: number | null
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
  window_start: number | null
  window_end: number | null
  window_url: string | null
  ask_at: number | null
  revoked_at: number | null
  activated_at: number | null
  warned_days: number | null
  key_type: string
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
  authorizations: string | null
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

export interface TicketSecretRow {
  id: string
  starts_at: number
  sealed: Buffer
  created_at: number
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

interface EdgeNodeTable {
  id: string
  started_at: number
  seen_at: number
  key_ids: Generated<string>
  name: Generated<string>
}

export interface EdgeConfirmationRow {
  hostname: string
  node_id: string
  certificate_id: string
  confirmed_at: number
}

export interface EdgeRehearsalRow {
  hostname: string
  node_id: string
  certificate_id: string
  problem: string
  rehearsed_at: number
}

export interface AccountRow {
  id: string
  name: string
  created_at: number
}

export interface HostClaimRow {
  hostname: string
  account: string
  token: string
  created_at: number
}

export interface FairShareRow {
  priority: number
  account: string
  last_rank: number
}

export interface AcmeLedgerRow {
  ca: string
  limit_name: string
  bucket: string
  full_at: number
}

export interface AcmeNameRow {
  ca: string
  hostname: string
  failures: number
  paused_at: number | null
  unpause_url: string | null
  updated_at: number
}

export interface AcmeAuthorityRow {
  ca: string
  down_since: number | null
  held_until: number | null
  code: string | null
  sentence: string | null
  updated_at: number
}

export interface EventRow {
  id: string
  at: number
  account: string
  kind: string
  hostname: string | null
  data: string
}

interface WebhookTable {
  account: string
  url: string
  sealed_key: Buffer
  created_at: number
  due_at: number | null
  failures: Generated<number>
  problem: string | null
  problem_at: number | null
  held_until: number | null
  paused_ms: Generated<number>
  answer_ms: Generated<number>
  delivered_at: number | null
  lease_until: number | null
  lease_fence: Generated<number>
}

export interface WebhookDeliveryRow {
  event_id: string
  account: string
  state: string
  attempts: number
  next_attempt_at: number | null
  problem: string | null
  created_at: number
  updated_at: number
  paused_before_ms: number
}

export interface KeyRotationRow {
  id: string
  to_key_id: string
  started_at: number
  updated_at: number
  finished_at: number | null
  secrets_total: number
  secrets_done: number
  unreadable: number
  retire_old: number
  problem: string | null
  lease_holder: string | null
  lease_until: number | null
}
