import type {
  EdgeAddresses,
  EdgeBound,
  EdgeOptions,
  RehearsalOutcome,
  TicketKey,
  Visits,
} from '../../edge/index.ts'
import type { StoreOptions } from '../../store/index.ts'
import type { LogOptions, MetricsSnapshot, Shortage } from '../../telemetry/index.ts'
import type { ExportedKeyRing, KeyRing } from '../../vault/index.ts'
import type { EdgeTrouble } from './edge-fleet.ts'

/**
 * What the supervisor and its edge workers say to one another, over the channel that fork opened
 * (structured clone: buffers arrive as bytes, key rings are never written anywhere).
 */
export type ToWorker =
  /** The store will be this one: its engine can be loaded meanwhile. */
  | { readonly kind: 'prepare'; readonly store: StoreOptions }
  | { readonly kind: 'start'; readonly start: EdgeStart }
  | { readonly kind: 'host-changed'; readonly hostname: string }
  | { readonly kind: 'resync' }
  | { readonly kind: 'ticket-keys'; readonly keys: readonly TicketKey[] }
  /** Answered by a `reply`, once they are in use. */
  | { readonly kind: 'key-ring'; readonly id: number; readonly keyRing: ExportedKeyRing }
  | { readonly kind: 'log-level'; readonly level: LogOptions['level'] }
  | { readonly kind: 'drain' }
  | ({ readonly kind: 'request'; readonly id: number } & WorkerRequest)

export type WorkerRequest =
  | { readonly ask: 'confirm'; readonly hostname: string; readonly serial: string }
  | { readonly ask: 'rehearse'; readonly hostname: string; readonly certificateId: string }
  | { readonly ask: 'metrics' }
  | { readonly ask: 'visits' }

export type ToSupervisor =
  | { readonly kind: 'listening'; readonly bound: EdgeBound }
  | { readonly kind: 'cannot-start'; readonly failure: StartFailure }
  | { readonly kind: 'reply'; readonly id: number; readonly answer: WorkerAnswer }
  /** Said once, unasked: it lasts as long as the worker. */
  | { readonly kind: 'trouble'; readonly trouble: EdgeTrouble }
  /** The same, for what keeps no traffic away. */
  | { readonly kind: 'remark'; readonly remark: EdgeTrouble }
  | { readonly kind: 'shortage'; readonly of: Shortage; readonly state: 'began' | 'ended' }

export type WorkerAnswer =
  | { readonly ok: true; readonly said: WorkerSaid }
  | { readonly ok: false; readonly message: string }

/** Tagged with the request that it answers. */
export type WorkerSaid =
  | { readonly to: 'confirm'; readonly value: boolean }
  | { readonly to: 'rehearse'; readonly value: RehearsalOutcome }
  | { readonly to: 'metrics'; readonly value: MetricsSnapshot }
  | { readonly to: 'visits'; readonly value: Visits }
  | { readonly to: 'key-ring' }

/** Everything a worker needs to know; it reads no configuration and no environment. */
export interface EdgeStart {
  readonly log: LogOptions
  readonly store: StoreOptions
  readonly edge: EdgeOptions
  readonly keyRing: ExportedKeyRing
  readonly ticketKeys: readonly TicketKey[]
  /** Ports are settled: every worker listens on the same ones. */
  readonly listen: EdgeAddresses
  /** Where hits are written down, until the server has moved them. */
  readonly journal: string
}

/** The same as the supervisor keeps it: keys stay inside the ring until a worker is started. */
export type EdgeOrders = Omit<EdgeStart, 'keyRing'> & { readonly keyRing: KeyRing }

/** An `AppError` in a form that survives the channel. */
export interface StartFailure {
  readonly code: string
  readonly message: string
  readonly fix: string | undefined
}
