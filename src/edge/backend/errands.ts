import type { Duplex } from 'node:stream'
import { type Clock, milliseconds, startPeriodic } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { type FailureReason, reportFailure } from '../forwarder/failures.ts'
import type { Health } from '../forwarder/health.ts'
import {
  BACKEND_CONNECT_MS_MAX,
  BACKEND_FIRST_BYTE_MS_MAX,
  BACKEND_IDLE_MS_MAX,
  BACKEND_SWEEP_MS,
  SOCKET_IDLE_MS_MAX,
} from '../limits.ts'
import type { Page } from '../request/pages.ts'
import type { Passage } from '../request/passage.ts'
import type { BackendAddress } from './backend-address.ts'

/** A request under way, with its body or its wish to upgrade, and the backend it went to. */
export interface Errand {
  readonly target: BackendAddress
  readonly isOver: boolean
  /** Says what has to come next; its time begins now. */
  expects(next: Expected): void
  /** The backend did as it should, or the visitor left before that could be known. */
  end(how: 'answered' | 'abandoned'): void
  /** Answered, and the connection stays in use: the errand's place is free once that is closed. */
  endAsTunnel(socket: Duplex): void
  /** Notes the failure, and says what the visitor reads. */
  fail(reason: FailureReason): Page
}

/** `visitor`: to send on, or to read on. */
export type Expected = 'connection' | 'head' | 'piece' | 'visitor'

/** Which request went where, how many there may be at once, and what becomes of those that fail. */
export interface Errands {
  /**
   * Chooses the backend; where none may be asked now, the page that says so. `late` is called at
   * most once, when what was expected did not come: with the page, unless it is the visitor's doing.
   */
  start(passage: Passage, late: (page: Page | undefined) => void): Errand | { readonly page: Page }
  close(): Promise<void>
}

export interface ErrandsDeps {
  readonly health: Health
  readonly record: Pick<EdgeRecord, 'backendFailed' | 'backendResting' | 'failed'>
  readonly clock: Clock
}

const PATIENCE: Readonly<
  Record<Expected, { readonly ms: number; readonly reason?: FailureReason }>
> = {
  connection: { ms: BACKEND_CONNECT_MS_MAX, reason: 'connect-timeout' },
  head: { ms: BACKEND_FIRST_BYTE_MS_MAX, reason: 'first-byte-timeout' },
  piece: { ms: BACKEND_IDLE_MS_MAX, reason: 'cut-short' },
  visitor: { ms: SOCKET_IDLE_MS_MAX },
}

export function createErrands(
  { health, record, clock }: ErrandsDeps,
  { underWayMax }: { /** With each backend, tunnels included. */ readonly underWayMax: number },
): Errands {
  const places = new Map<BackendAddress, number>()
  const underWay = new Set<ErrandUnderWay>()
  const count = (target: BackendAddress, change: 1 | -1): void => {
    places.set(target, (places.get(target) ?? 0) + change)
  }
  const sweeping = startPeriodic(
    async () => {
      const nowMs = clock.monotonicMs()
      for (const errand of underWay) if (errand.deadlineMs <= nowMs) errand.tooLate()
    },
    {
      clock,
      every: milliseconds(BACKEND_SWEEP_MS),
      onError: (error) => record.failed('looking after the backends', error),
    },
  )
  const choose = (): { readonly target?: BackendAddress; readonly full: BackendAddress[] } => {
    const full: BackendAddress[] = []
    for (;;) {
      const target = health.choose(full)
      if (!target) return { full }
      if ((places.get(target) ?? 0) < underWayMax) return { target, full }
      health.end(target, 'abandoned')
      full.push(target)
    }
  }

  return {
    start: (passage, late) => {
      const { target, full } = choose()
      if (!target) {
        const reason = full.length === 0 ? 'resting' : 'busy'
        return { page: reportFailure(record, { passage, backend: full[0], reason }) }
      }
      count(target, 1)
      const errand = new ErrandUnderWay(target, clock, {
        over: (how) => {
          underWay.delete(errand)
          health.end(target, how)
        },
        free: () => count(target, -1),
        report: (reason) => reportFailure(record, { passage, backend: target, reason }),
        late,
      })
      underWay.add(errand)
      return errand
    },
    close: async () => {
      await sweeping[Symbol.asyncDispose]()
    },
  }
}

interface ErrandOwner {
  over(how: 'answered' | 'failed' | 'abandoned'): void
  free(): void
  report(reason: FailureReason): Page
  late(page: Page | undefined): void
}

class ErrandUnderWay implements Errand {
  readonly target: BackendAddress
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #owner: ErrandOwner
  #expected: Expected = 'connection'
  deadlineMs: number
  isOver = false

  constructor(target: BackendAddress, clock: Pick<Clock, 'monotonicMs'>, owner: ErrandOwner) {
    this.target = target
    this.#clock = clock
    this.#owner = owner
    this.deadlineMs = clock.monotonicMs() + PATIENCE.connection.ms
  }

  expects(next: Expected): void {
    this.#expected = next
    this.deadlineMs = this.#clock.monotonicMs() + PATIENCE[next].ms
  }

  end(how: 'answered' | 'abandoned'): void {
    if (this.#finish(how)) this.#owner.free()
  }

  endAsTunnel(socket: Duplex): void {
    if (this.#finish('answered')) socket.once('close', () => this.#owner.free())
  }

  fail(reason: FailureReason): Page {
    if (this.#finish('failed')) this.#owner.free()
    return this.#owner.report(reason)
  }

  tooLate(): void {
    const { reason } = PATIENCE[this.#expected]
    if (reason === undefined) this.end('abandoned')
    this.#owner.late(reason && this.fail(reason))
  }

  #finish(how: 'answered' | 'failed' | 'abandoned'): boolean {
    if (this.isOver) return false
    this.isOver = true
    this.#owner.over(how)
    return true
  }
}

/** Reads an error of node:http. */
export function reasonOf(error: NodeJS.ErrnoException): FailureReason {
  switch (error.code ?? '') {
    case 'ETIMEDOUT':
      return 'connect-timeout'
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENOENT':
    case 'ENOTFOUND':
    case 'EACCES':
      return 'unreachable'
    default:
      return 'broken-answer'
  }
}
