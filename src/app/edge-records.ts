import {
  createCertsRecord,
  createEdgeRecord,
  createHostsRecord,
  createStoreRecord,
  createTrackingRecord,
  type Log,
  type Metrics,
} from '../telemetry/index.ts'

export interface Telemetry {
  readonly log: Log
  readonly metrics: Metrics
}

/** What an edge reports, in a worker or in the server's own process. */
export type EdgeRecords = ReturnType<typeof createEdgeRecords>

export function createEdgeRecords(telemetry: Telemetry) {
  return {
    certs: createCertsRecord(telemetry),
    edge: createEdgeRecord(telemetry),
    hosts: createHostsRecord(telemetry),
    store: createStoreRecord(telemetry),
    tracking: createTrackingRecord(telemetry),
  }
}
