/**
 * store: one database behind one port, on SQLite (embedded) or PostgreSQL (several nodes). Opens,
 * inspects and migrates it, runs queries and transactions, carries notices between nodes. It knows
 * tables, not what they mean: each part keeps its own.
 */
export type { ExpressionBuilder, Kysely, Transaction } from 'kysely'
export { dataDirectory } from './data-directory.ts'
export type { StoreDeps, StoreInspection, StoreRole } from './engine.ts'
export { isUniqueViolation, StoreError, type StoreErrorCode } from './errors.ts'
export type { HotPaths, ServedCertificateRow } from './hot-paths.ts'
export { inspectStore, openStore, prepareStore } from './open-store.ts'
export type { StoreOptions } from './options.ts'
export type {
  AccountRow,
  AcmeAccountRow,
  AcmeAuthorityRow,
  AcmeLedgerRow,
  AcmeNameRow,
  AcmeOrderRow,
  CertificateRow,
  ChallengeRow,
  EdgeConfirmationRow,
  EdgeRehearsalRow,
  EventRow,
  FairShareRow,
  HitRow,
  HostClaimRow,
  HostHistoryRow,
  KeyCheckRow,
  KeyRotationRow,
  LinkKeyRow,
  Schema,
  TicketSecretRow,
  WebhookDeliveryRow,
} from './schema.ts'
export type { Notice, Store } from './store.ts'
