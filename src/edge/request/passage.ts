import type { Hostname } from '../../kernel/index.ts'
import type { Answer } from './answer.ts'
import type { Connection } from './connection.ts'
import type { HeaderLines } from './header-lines.ts'

/** A request that the rules let through, before anybody has decided on it. */
export interface Asked {
  readonly method: string
  readonly hostname: Hostname
  /** Origin-form, whatever form it came in. */
  readonly target: string
  /** The visitor's own fields that a backend may see, as they will be written. */
  readonly lines: HeaderLines
  readonly userAgent: string
  readonly connection: Connection
  /** When its head was read, on the clock that never runs backwards; absent: just now. */
  readonly sinceMs?: number
}

/** One that is to be carried to a backend. */
export interface Passage extends Asked {
  readonly requestId: string
  /** What the edge tells the backend of this visitor, signed; absent unless that is wanted. */
  readonly vouched?: HeaderLines
}

/** What answers a GET or HEAD without a body: a backend in this process, or elsewhere. */
export interface Carrier {
  /** MUST end every answer. */
  carry(passage: Passage, answer: Answer): void
}
