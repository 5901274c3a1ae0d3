import type { EdgeBound, RehearsalOutcome, TicketKey, Visits } from '../../edge/index.ts'
import type { Hostname } from '../../kernel/index.ts'
import type { LogOptions, MetricsSnapshot, Shortage } from '../../telemetry/index.ts'
import type { KeyRing } from '../../vault/index.ts'

/**
 * All edges of this node, in processes of their own or in this one: told alike, asked alike. Disposing
 * drains them; a second call waits for the first.
 */
export interface EdgeFleet extends AsyncDisposable {
  readonly bound: EdgeBound
  /** How many serve now, and how many should. */
  count(): { readonly serving: number; readonly wanted: number }
  /** The host was added, got another certificate, or left. */
  hostChanged(hostname: Hostname): void
  /** Notices may have been missed: read everything again. */
  resync(): void
  /** Has every edge that serves now given this certificate to a handshake of its own? */
  confirm(hostname: Hostname, serial: string): Promise<boolean>
  /**
   * Could every edge serve a certificate that is not in use yet? Each builds its context and gives it
   * to a handshake of its own; visitors notice nothing.
   */
  rehearse(hostname: Hostname, certificateId: string): Promise<RehearsalOutcome>
  /** Which hosts were visited since last asked. An edge that does not answer is left out. */
  visits(): Promise<Visits>
  /** What is wrong with edges that serve all the same. */
  troubles(): readonly EdgeTrouble[]
  /** What is worth knowing of edges, and no reason to keep traffic from them. */
  remarks(): readonly EdgeTrouble[]
  /** Why edges turn visitors away, or nearly do. */
  shortages(): readonly Shortage[]
  metrics(): Promise<readonly MetricsSnapshot[]>
  /** The caller keeps them until it hands over others: an edge that dies is replaced with these. */
  useTicketKeys(keys: readonly TicketKey[]): void
  /**
   * Gives every edge these keys, the ones that are just starting included, and resolves when each
   * has taken them: from then on secrets sealed with any of them can be served. Throws if one does not.
   */
  useKeyRing(keyRing: KeyRing): Promise<void>
  setLogLevel(level: LogOptions['level']): void
}

/** What is wrong with an edge, for the operator to read. */
export interface EdgeTrouble {
  readonly code: string
  readonly sentence: string
  readonly fix: string
}
