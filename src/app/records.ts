import {
  createAcmeRecord,
  createApiRecord,
  createAppRecord,
  createEventsRecord,
  createLifecycleRecord,
  createVaultRecord,
} from '../telemetry/index.ts'
import { createEdgeRecords, type Telemetry } from './edge-records.ts'

/** What the server reports, an edge of its own included: each metric is registered once. */
export type ServerRecords = ReturnType<typeof createServerRecords>

export function createServerRecords(telemetry: Telemetry) {
  return {
    ...createEdgeRecords(telemetry),
    acme: createAcmeRecord(telemetry),
    api: createApiRecord(telemetry),
    app: createAppRecord(telemetry),
    events: createEventsRecord(telemetry),
    lifecycle: createLifecycleRecord(telemetry),
    vault: createVaultRecord(telemetry),
  }
}
