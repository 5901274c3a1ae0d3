import { type Clock, milliseconds, startPeriodic, unreachable } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { BackendAddress } from '../backend/backend-address.ts'
import { BACKEND_IDLE_MS_MAX, BACKEND_SWEEP_MS, SOCKET_IDLE_MS_MAX } from '../limits.ts'
import type { Answer, WhyLeft } from '../request/answer.ts'
import { pageOf, sendWhole } from '../request/pages.ts'
import type { Carrier, Passage } from '../request/passage.ts'
import { type FailureReason, reportFailure } from './failures.ts'
import { createHeadWriter } from './head-writer.ts'
import type { Health, HowEnded } from './health.ts'
import type { Line } from './line.ts'
import { createPool, type NotStarted, type Pool, type PoolUser } from './pool.ts'
import { createReply, type Reply } from './reply.ts'

//  carry ─► choose a backend ─► a line ─► head written ─► reply ─► whole: the line goes back
//              ▲    not started: the next one │              │
//              └──────────────────────────────┘              └─► broken, late, lost: page, or broken off
//                        a kept line died before a byte came: once more, on a new one

/** Carries GET and HEAD without a body to the operator's own servers, over kept connections. */
export interface Forwarder extends Carrier {
  /** Gives up all connections to backends. */
  close(): Promise<void>
}

export interface ForwarderDeps {
  readonly health: Health
  readonly record: Pick<EdgeRecord, 'backendFailed' | 'backendResting' | 'failed'>
  readonly clock: Clock
}

export interface ForwarderHow {
  /** Connections to each backend. */
  readonly socketsMax: number
}

export function createForwarder(
  deps: ForwarderDeps,
  targets: readonly BackendAddress[],
  how: ForwarderHow,
): Forwarder {
  const errands = new Errands(deps, targets, how)
  const sweeping = startPeriodic(async () => errands.sweep(), {
    clock: deps.clock,
    every: milliseconds(BACKEND_SWEEP_MS),
    onError: (error) => deps.record.failed('looking after the backends', error),
  })
  return {
    carry: (passage, answer) => errands.begin(passage, answer),
    close: async () => {
      await sweeping[Symbol.asyncDispose]()
      errands.close()
    },
  }
}

/** One request on its way to a backend and back. */
interface Errand {
  readonly passage: Passage
  readonly answer: Answer
  readonly reply: Reply
  /** The backend it is with, and its connection once there is one. */
  backend: BackendAddress | undefined
  line: Line<Errand> | undefined
  /** Where nothing could be sent. */
  tried: readonly BackendAddress[]
  isRepeated: boolean
  isOver: boolean
}

class Errands implements PoolUser<Errand> {
  readonly #health: Health
  readonly #record: ForwarderDeps['record']
  readonly #clock: Clock
  readonly #heads = createHeadWriter()
  readonly #pools: ReadonlyMap<BackendAddress, Pool<Errand>>

  constructor(
    { health, record, clock }: ForwarderDeps,
    targets: readonly BackendAddress[],
    { socketsMax }: ForwarderHow,
  ) {
    this.#health = health
    this.#record = record
    this.#clock = clock
    const how = { clock, linesMax: socketsMax }
    this.#pools = new Map(targets.map((target) => [target, createPool(target, this, how)]))
  }

  begin(passage: Passage, answer: Answer): void {
    if (answer.isOver) return
    const errand: Errand = {
      passage,
      answer,
      reply: createReply(answer, passage.method),
      backend: undefined,
      line: undefined,
      tried: NONE,
      isRepeated: false,
      isOver: false,
    }
    answer.whenLeft((why) => this.#abandon(errand, why))
    this.#ask(errand, 'resting')
  }

  sweep(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const pool of this.#pools.values()) pool.sweep(nowMs)
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close()
  }

  /** Goes to a backend that has not been tried; if there is none, it failed for the `last` reason. */
  #ask(errand: Errand, last: FailureReason): void {
    const next = this.#health.choose(errand.tried)
    if (next) {
      errand.backend = next
      this.#poolOf(errand).want(errand, 'any')
    } else this.#giveUp(errand, last)
  }

  start(errand: Errand, line: Line<Errand>): void {
    errand.line = line
    line.send(this.#heads.headFor(errand.passage))
  }

  /** Nothing was sent to it, or on a kept line that had died: another backend may have it. */
  refused(errand: Errand, why: NotStarted): void {
    const { backend } = errand
    if (!backend) return
    this.#health.end(backend, why === 'busy' ? 'abandoned' : 'failed')
    errand.tried = [...errand.tried, backend]
    this.#ask(errand, why)
  }

  received(errand: Errand, line: Line<Errand>, bytes: Buffer): void {
    const state = errand.reply.receive(bytes)
    if (errand.isOver) return
    switch (state) {
      case 'head':
        return
      case 'body':
        line.deadlineMs = this.#clock.monotonicMs() + BACKEND_IDLE_MS_MAX
        return
      case 'full':
        this.#wait(errand, line)
        return
      case 'whole':
        this.#end(errand, 'answered')
        this.#poolOf(errand).release(line, errand.reply.restMs)
        return
      case 'whole-and-more':
        this.#end(errand, 'answered')
        this.#poolOf(errand).drop(line)
        return
      case 'broken':
        this.#poolOf(errand).drop(line)
        this.#fail(errand, errand.reply.hasBegun ? 'cut-short' : 'broken-answer')
        return
      default:
        unreachable(state)
    }
  }

  ended(errand: Errand, line: Line<Errand>): void {
    // Otherwise the line is about to be lost.
    if (errand.reply.ended() === 'broken') return
    this.#end(errand, 'answered')
    this.#poolOf(errand).drop(line)
  }

  lost(errand: Errand, line: Line<Errand>): void {
    const { reply } = errand
    if (line.isKept && !reply.hasBytes && !errand.isRepeated) {
      errand.isRepeated = true
      errand.line = undefined
      this.#poolOf(errand).want(errand, 'new')
    } else this.#fail(errand, reply.hasBegun ? 'cut-short' : 'broken-answer')
  }

  overdue(errand: Errand, line: Line<Errand>): void {
    this.#poolOf(errand).drop(line)
    const { reply, answer } = errand
    if (line.isPaused) {
      // It is the visitor who does not read.
      this.#end(errand, 'abandoned')
      answer.breakOff()
    } else this.#fail(errand, reply.hasBegun ? 'cut-short' : 'first-byte-timeout')
  }

  /** Until the visitor has read what there is. */
  #wait(errand: Errand, line: Line<Errand>): void {
    line.pause()
    line.deadlineMs = this.#clock.monotonicMs() + SOCKET_IDLE_MS_MAX
    errand.answer.whenDrained(() => {
      if (errand.isOver) return
      line.deadlineMs = this.#clock.monotonicMs() + BACKEND_IDLE_MS_MAX
      line.resume()
    })
  }

  /** The backend is told by the end of its connection; to read on for nobody costs more than a new one. */
  #abandon(errand: Errand, why: WhyLeft): void {
    if (errand.isOver) return
    this.#end(errand, why === 'too-slow' ? 'too-slow' : 'abandoned')
    const pool = this.#poolOf(errand)
    if (errand.line) pool.drop(errand.line)
    else pool.withdraw(errand)
  }

  #fail(errand: Errand, reason: FailureReason): void {
    if (errand.backend) this.#health.end(errand.backend, 'failed')
    this.#giveUp(errand, reason)
  }

  #giveUp(errand: Errand, reason: FailureReason): void {
    errand.isOver = true
    const { passage, backend, reply, answer } = errand
    const page = reportFailure(this.#record, { passage, backend, reason })
    if (reply.hasBegun) answer.breakOff()
    else sendWhole(answer, pageOf(page))
  }

  #end(errand: Errand, how: HowEnded): void {
    errand.isOver = true
    if (errand.backend) this.#health.end(errand.backend, how)
  }

  #poolOf({ backend }: Errand): Pool<Errand> {
    const pool = backend && this.#pools.get(backend)
    if (!pool) throw new TypeError('The errand is with none of the backends.')
    return pool
  }
}

const NONE: readonly BackendAddress[] = []
