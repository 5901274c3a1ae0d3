import type { Socket } from 'node:net'
import { createPlaces, type Random } from '../../kernel/index.ts'
import type { ShedReason } from '../../telemetry/index.ts'
import {
  FIRST_HEAD_MS_MAX,
  HTTP2_STREAMS_MAX,
  READ_BYTES_MIN,
  READ_WINDOW_MS,
  SECURED_MS_MAX,
} from '../limits.ts'
import { createByEnds } from './by-ends.ts'
import { createSheddingList } from './shedding-list.ts'
import type { SeatFacts } from './shedding-plan.ts'

/** An open connection, as its readers know it. */
export interface Seat {
  /** It has asked for something, and this is its answer: it is not ended for others until that is over. */
  serves(answer: Served): void
}

interface Served {
  readonly isOver: boolean
}

/** All open connections of a process, and what each of them is doing. */
export interface Seats {
  readonly size: number
  /** `left` is called once, when it is closed. */
  take(socket: Socket, nowMs: number, left: () => void): void
  /** Of a socket that is ready for HTTP: the one that was taken, or the TLS session on top of it. */
  of(socket: Socket, nowMs: number): Seat | undefined
  /** Finds out who moved since the last time, and ends whoever asks or reads too slowly. */
  look(nowMs: number): void
  /** Ends up to `count` that may be ended, and says how many these were. */
  shed(count: number, nowMs: number): number
  /** Ends all. */
  clear(): void
}

export function createSeats({
  onShed,
  random,
}: {
  readonly onShed: (reason: ShedReason) => void
  readonly random: Random
}): Seats {
  const seats = createPlaces<TakenSeat>()
  const byEnds = createByEnds<TakenSeat>({ random })
  const shedding = createSheddingList({
    get size() {
      return seats.size
    },
    has: (seat) => seat.isTaken,
    [Symbol.iterator]: () => seats[Symbol.iterator](),
  })

  return {
    get size() {
      return seats.size
    },
    take: (socket, nowMs, left) => {
      const seat = new TakenSeat(socket, nowMs)
      seat.sit(seats.take(seat))
      const forget = byEnds.put(socket, seat)
      socket.once('close', () => {
        seat.leave()
        forget()
        left()
      })
    },
    of: (socket, nowMs) => {
      const seat = byEnds.get(socket)
      seat?.ready(socket, nowMs)
      return seat
    },
    look: (nowMs) => {
      shedding.forget()
      for (const seat of seats) {
        const state = seat.look(nowMs)
        if (state === 'moves-on') continue
        onShed(state)
        seat.end()
      }
    },
    shed: (count, nowMs) => {
      const chosen = shedding.take(count, nowMs)
      for (const { seat, pursuit } of chosen) {
        onShed(pursuit)
        seat.end()
      }
      return chosen.length
    },
    clear: () => {
      for (const seat of seats) seat.end()
    },
  }
}

/** Twice what can be under way: so each answer is looked at once or twice. */
const ANSWERS_KEPT_MAX = 2 * HTTP2_STREAMS_MAX

/**
 * What moves is read off the socket's own counters, once per sweep: nothing is added to the path of
 * a request but a note of its answer.
 */
class TakenSeat implements Seat, SeatFacts {
  readonly sinceMs: number
  lastActiveMs: number
  hasAsked = false
  stalledSinceMs: number | undefined
  readonly #socket: Socket
  #leaves: (() => void) | undefined
  /** Once it is ready for HTTP. */
  #outer: { readonly socket: Socket; readonly sinceMs: number } | undefined
  #read = 0
  #sent = 0
  #window: { readonly sinceMs: number; readonly sent: number } | undefined
  /** Those that are not over, and some that are. */
  #answers: Served[] = []

  constructor(socket: Socket, nowMs: number) {
    this.#socket = socket
    this.sinceMs = nowMs
    this.lastActiveMs = nowMs
  }

  get isServed(): boolean {
    return this.#answers.some(({ isOver }) => !isOver)
  }

  get isTaken(): boolean {
    return this.#leaves !== undefined
  }

  /** It is taken until it is left. */
  sit(leaves: () => void): void {
    this.#leaves = leaves
  }

  leave(): void {
    this.#leaves?.()
    this.#leaves = undefined
  }

  ready(socket: Socket, sinceMs: number): void {
    this.#outer = { socket, sinceMs }
  }

  serves(answer: Served): void {
    this.hasAsked = true
    if (this.#answers.at(-1) === answer) return
    // Over HTTP/1.1 there is one at a time; over HTTP/2 as many as streams.
    const [last] = this.#answers
    if (this.#answers.length === 1 && last?.isOver) {
      this.#answers[0] = answer
      return
    }
    if (this.#answers.length >= ANSWERS_KEPT_MAX) this.#forgetOver()
    this.#answers.push(answer)
  }

  look(nowMs: number): 'moves-on' | 'late' | 'slow-reader' {
    const read = this.#socket.bytesRead
    if (read !== this.#read) this.lastActiveMs = nowMs
    this.#read = read
    this.#forgetOver()
    const outer = this.#outer
    if (!outer) return nowMs - this.sinceMs >= SECURED_MS_MAX ? 'late' : 'moves-on'
    if (!this.hasAsked && nowMs - outer.sinceMs >= FIRST_HEAD_MS_MAX) return 'late'
    return this.#lookAtReading(outer.socket, nowMs)
  }

  #forgetOver(): void {
    if (this.#answers.length > 0) this.#answers = this.#answers.filter(({ isOver }) => !isOver)
  }

  /** What was written and has not been taken by the kernel waits for the visitor to read. */
  #lookAtReading(outer: Socket, nowMs: number): 'moves-on' | 'slow-reader' {
    if (outer.writableLength === 0) {
      this.stalledSinceMs = undefined
      this.#window = undefined
      return 'moves-on'
    }
    const sent = outer.bytesWritten - outer.writableLength
    if (sent !== this.#sent) this.stalledSinceMs = undefined
    this.stalledSinceMs ??= nowMs
    this.#sent = sent
    this.#window ??= { sinceMs: nowMs, sent }
    if (nowMs - this.#window.sinceMs < READ_WINDOW_MS) return 'moves-on'
    const isTooSlow = sent - this.#window.sent < READ_BYTES_MIN
    this.#window = { sinceMs: nowMs, sent }
    return isTooSlow ? 'slow-reader' : 'moves-on'
  }

  /** Its seat is free at once: the descriptor is, and others wait for it. */
  end(): void {
    this.leave()
    this.#socket.destroy()
  }
}
