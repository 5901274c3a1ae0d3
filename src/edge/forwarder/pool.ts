import type { Clock } from '../../kernel/index.ts'
import type { BackendAddress } from '../backend/backend-address.ts'
import {
  BACKEND_CONNECT_MS_MAX,
  BACKEND_FIRST_BYTE_MS_MAX,
  BACKEND_FREE_SOCKETS_MAX,
  BACKEND_KEEP_ALIVE_MS,
  BACKEND_WAITING_MAX,
} from '../limits.ts'
import { type Line, type LineEnd, type LineOwner, openLine } from './line.ts'

//             ┌── a free line ──────────────┐
//  want ──────┤                             ├─► start ─► received … ─► release ─► free, or the next
//             └── waiting ─► dialled, freed ┘                      └─► drop

/** The connections to one backend, and who waits for one. */
export interface Pool<Errand> {
  /** Has the errand started on a line, or refused; `new`: not on one that was resting. */
  want(errand: Errand, which: 'any' | 'new'): void
  /** It no longer waits. */
  withdraw(errand: Errand): void
  /** The line is done with its errand, and may rest for so long. */
  release(line: Line<Errand>, restMs: number): void
  /** The line is of no use to anybody. */
  drop(line: Line<Errand>): void
  /** Ends what is past its deadline. */
  sweep(nowMs: number): void
  close(): void
}

/** Why an errand was not started. Nothing of it has been sent. */
export type NotStarted = 'unreachable' | 'connect-timeout' | 'busy'

/** Whose errands they are. */
export interface PoolUser<Errand> {
  start(errand: Errand, line: Line<Errand>): void
  refused(errand: Errand, why: NotStarted): void
  /** The bytes are only lent. */
  received(errand: Errand, line: Line<Errand>, bytes: Buffer): void
  /** The backend says nothing more on this line. */
  ended(errand: Errand, line: Line<Errand>): void
  lost(errand: Errand, line: Line<Errand>): void
  overdue(errand: Errand, line: Line<Errand>): void
}

export function createPool<Errand>(
  address: BackendAddress,
  user: PoolUser<Errand>,
  how: PoolHow,
): Pool<Errand> {
  return new LinePool(address, user, how)
}

export interface PoolHow {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Connections at once, in use or resting. */
  readonly linesMax: number
}

interface Waiter<Errand> {
  readonly errand: Errand
  readonly deadlineMs: number
}

class LinePool<Errand> implements Pool<Errand>, LineOwner<Errand> {
  readonly #address: BackendAddress
  readonly #user: PoolUser<Errand>
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #linesMax: number
  readonly #lines = new Set<Line<Errand>>()
  /** The one used last is at the end. */
  readonly #free: Line<Errand>[] = []
  readonly #waiting: Waiter<Errand>[] = []
  #dialling = 0
  #isClosed = false

  constructor(address: BackendAddress, user: PoolUser<Errand>, { clock, linesMax }: PoolHow) {
    this.#address = address
    this.#user = user
    this.#clock = clock
    this.#linesMax = linesMax
  }

  want(errand: Errand, which: 'any' | 'new'): void {
    const line = which === 'any' ? this.#free.pop() : undefined
    if (line) this.#start(line, errand)
    else if (this.#isClosed) this.#user.refused(errand, 'unreachable')
    else if (this.#waiting.length < BACKEND_WAITING_MAX) {
      this.#waiting.push({ errand, deadlineMs: this.#clock.monotonicMs() + BACKEND_CONNECT_MS_MAX })
      this.#dialAsNeeded()
    } else this.#user.refused(errand, 'busy')
  }

  withdraw(errand: Errand): void {
    const at = this.#waiting.findIndex((one) => one.errand === errand)
    if (at >= 0) this.#waiting.splice(at, 1)
  }

  release(line: Line<Errand>, restMs: number): void {
    line.errand = undefined
    line.isKept = true
    if (restMs > 0 && line.isOpen) this.#handOn(line, restMs)
    else this.drop(line)
  }

  drop(line: Line<Errand>): void {
    this.#forget(line)
    line.destroy()
    this.#dialAsNeeded()
  }

  sweep(nowMs: number): void {
    for (const line of this.#lines) {
      if (line.deadlineMs > nowMs) continue
      if (line.errand !== undefined) this.#user.overdue(line.errand, line)
      else if (line.isOpen) this.drop(line)
      else line.giveUp()
    }
    for (let first = this.#waiting[0]; first && first.deadlineMs <= nowMs; ) {
      this.#waiting.shift()
      const isFull = this.#lines.size >= this.#linesMax
      this.#user.refused(first.errand, isFull ? 'busy' : 'connect-timeout')
      first = this.#waiting[0]
    }
  }

  close(): void {
    this.#isClosed = true
    this.#waiting.length = 0
    for (const line of this.#lines) this.drop(line)
  }

  opened(line: Line<Errand>): void {
    this.#dialling -= 1
    this.#handOn(line, BACKEND_KEEP_ALIVE_MS)
  }

  received(line: Line<Errand>, bytes: Buffer): void {
    // Nobody asked: whatever it is, it must not be taken for the next answer.
    if (line.errand === undefined) this.drop(line)
    else this.#user.received(line.errand, line, bytes)
  }

  ended(line: Line<Errand>): void {
    if (line.errand === undefined) this.drop(line)
    else this.#user.ended(line.errand, line)
  }

  closed(line: Line<Errand>, why: LineEnd): void {
    if (!this.#lines.has(line)) return
    const { errand } = line
    this.#forget(line)
    if (why !== 'gone') {
      this.#dialling -= 1
      // Who has waited as long as a line that timed out is told by the sweep, at its own deadline.
      const next = why === 'never-opened' ? this.#waiting.shift() : undefined
      if (next) this.#user.refused(next.errand, 'unreachable')
    } else if (errand !== undefined) this.#user.lost(errand, line)
    this.#dialAsNeeded()
  }

  /** A line for each that waits; whoever waits longest gets whichever is there first. */
  #dialAsNeeded(): void {
    while (this.#dialling < this.#waiting.length && this.#lines.size < this.#linesMax) {
      const line = openLine(this.#address, this)
      line.deadlineMs = this.#clock.monotonicMs() + BACKEND_CONNECT_MS_MAX
      this.#dialling += 1
      this.#lines.add(line)
    }
  }

  #handOn(line: Line<Errand>, restMs: number): void {
    const next = this.#waiting.shift()
    if (next) this.#start(line, next.errand)
    else if (this.#free.length < BACKEND_FREE_SOCKETS_MAX) {
      line.deadlineMs = this.#clock.monotonicMs() + restMs
      line.isKept = true
      this.#free.push(line)
    } else this.drop(line)
  }

  #start(line: Line<Errand>, errand: Errand): void {
    line.errand = errand
    line.deadlineMs = this.#clock.monotonicMs() + BACKEND_FIRST_BYTE_MS_MAX
    this.#user.start(errand, line)
  }

  /** What is forgotten is no longer listened to. */
  #forget(line: Line<Errand>): void {
    this.#lines.delete(line)
    const at = line.errand === undefined ? this.#free.indexOf(line) : -1
    if (at >= 0) this.#free.splice(at, 1)
    line.errand = undefined
  }
}
