/**
 * telemetry: what Postern says about itself. `records/` holds one function per business event (a
 * counter and a log line); parts take the record of their own events and know nothing of either.
 */
export { addCounts } from './add-counts.ts'
export type { Durations } from './durations.ts'
export { type Log, type LogFields, type LogSink, openLog } from './log.ts'
export {
  createMetrics,
  type MetricSpec,
  type Metrics,
  type MetricsFormat,
  type MetricsSnapshot,
  renderMetrics,
} from './metrics.ts'
export type { LogOptions } from './options.ts'
export { type AcmeRecord, createAcmeRecord } from './records/acme.ts'
export { type ApiRecord, createApiRecord } from './records/api.ts'
export { type AppRecord, createAppRecord } from './records/app.ts'
export { type CertsRecord, createCertsRecord } from './records/certs.ts'
export {
  type BackendFailure,
  createEdgeRecord,
  type EdgeRecord,
  type HandshakeResult,
  type ShedReason,
  type Shortage,
} from './records/edge.ts'
export { createEventsRecord, type EventsRecord } from './records/events.ts'
export { createHostsRecord, type HostsRecord } from './records/hosts.ts'
export { createLifecycleRecord, type LifecycleRecord } from './records/lifecycle.ts'
export { createStoreRecord, type StoreRecord } from './records/store.ts'
export { createTrackingRecord, type TrackingRecord } from './records/tracking.ts'
export { createVaultRecord, type VaultRecord } from './records/vault.ts'
