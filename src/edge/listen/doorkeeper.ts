import type { Socket } from 'node:net'
import type { Clock, Random } from '../../kernel/index.ts'
import type { EdgeRecord, ShedReason } from '../../telemetry/index.ts'
import { SHED_CONNECTIONS, SHED_PAUSE_MS, SHED_SHARE } from '../limits.ts'
import type { ShortageWatch } from '../ports.ts'
import { createAdmission } from './admission.ts'
import { createMemoryWatch } from './memory-watch.ts'
import type { Networks } from './peer-network.ts'
import type { Resources } from './resources.ts'
import { createSeats, type Seat } from './seats.ts'
import { createStrains } from './strains.ts'

//  accepted ─► memory? ─► its address? ─► a seat? ─┬─► TLS, gate
//               close        close         shed    └─► … or close
//
// Closed before a byte is read: that costs a twentieth of a handshake.

/** Lets connections in, as many as can be served, and ends those that others need the room of. */
export interface Doorkeeper {
  /** False: it is closed already. */
  letIn(socket: Socket): boolean
  /** To be called every `SWEEP_MS`. */
  look(): void
  /** How many there are. */
  readonly size: number
  /** Of a socket that is ready for HTTP: the one that was let in, or the TLS session on top of it. */
  seatOf(socket: Socket): Seat | undefined
  /** Resolves once nobody is left. */
  untilQuiet(): Promise<void>
  /** Ends all. */
  clear(): void
}

export interface DoorkeeperDeps {
  readonly record: Pick<
    EdgeRecord,
    'connectionsOpen' | 'connectionShed' | 'shortageBegan' | 'shortageEnded'
  >
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly random: Random
  readonly watch: ShortageWatch
  readonly resources: Pick<Resources, 'memory' | 'memoryUse' | 'hasDescriptors'>
}

export interface DoorkeeperOptions {
  /** The most at once, of all. */
  readonly connectionsMax: number
  /** Addresses that many share, and that are not limited one by one. */
  readonly shared: Networks
}

export function createDoorkeeper(deps: DoorkeeperDeps, options: DoorkeeperOptions): Doorkeeper {
  const door = new Door(deps, options)
  return {
    get size() {
      return door.seats.size
    },
    letIn: (socket) => door.letIn(socket),
    look: () => door.look(),
    seatOf: (socket) => door.seats.of(socket, deps.clock.monotonicMs()),
    untilQuiet: () => door.untilQuiet(),
    clear: () => door.seats.clear(),
  }
}

class Door {
  readonly seats
  readonly #deps: DoorkeeperDeps
  readonly #options: DoorkeeperOptions
  readonly #admission = createAdmission()
  readonly #memory
  readonly #strains
  #noRoomUntilMs = 0
  #quiet = Promise.withResolvers<void>()

  constructor(deps: DoorkeeperDeps, options: DoorkeeperOptions) {
    this.#deps = deps
    this.#options = options
    this.seats = createSeats({ onShed: deps.record.connectionShed, random: deps.random })
    this.#memory = createMemoryWatch(deps)
    this.#strains = createStrains(deps)
  }

  letIn(socket: Socket): boolean {
    const { record, clock } = this.#deps
    const address = socket.remoteAddress
    // It has left already.
    if (address === undefined) {
      socket.destroy()
      return false
    }
    const nowMs = clock.monotonicMs()
    const isShared = this.#options.shared.has(address)
    const reason = this.#whyNot(address, isShared, nowMs)
    if (reason !== undefined) {
      record.connectionShed(reason)
      // Nothing was said that would have to arrive, and nothing is left behind in the kernel.
      socket.resetAndDestroy()
      return false
    }
    this.seats.take(socket, nowMs, () => {
      if (!isShared) this.#admission.left(address)
      this.#seatLeft()
    })
    record.connectionsOpen(this.seats.size)
    return true
  }

  #whyNot(address: string, isShared: boolean, nowMs: number): ShedReason | undefined {
    if (this.#memory.isHigh && this.seats.size >= this.#memory.connectionsWhenHigh) return 'memory'
    // First what is its own doing: nobody else is to lose a seat to one who gets none.
    const verdict = isShared ? 'admitted' : this.#admission.judge(address, nowMs)
    if (verdict !== 'admitted') return verdict
    if (this.#hasRoom(nowMs)) return undefined
    if (!isShared) this.#admission.left(address)
    this.#strains.note('connections', nowMs)
    return 'full'
  }

  #hasRoom(nowMs: number): boolean {
    if (this.seats.size < this.#options.connectionsMax) return true
    if (nowMs < this.#noRoomUntilMs) return false
    if (this.seats.shed(SHED_CONNECTIONS, nowMs) > 0) return true
    this.#noRoomUntilMs = nowMs + SHED_PAUSE_MS
    return false
  }

  #seatLeft(): void {
    this.#deps.record.connectionsOpen(this.seats.size)
    if (this.seats.size > 0) return
    this.#quiet.resolve()
    this.#quiet = Promise.withResolvers()
  }

  look(): void {
    const nowMs = this.#deps.clock.monotonicMs()
    this.seats.look(nowMs)
    this.#memory.look()
    if (this.#memory.isHigh) {
      this.#strains.note('memory', nowMs)
      if (this.seats.size > this.#memory.connectionsWhenHigh) this.#shedSome(nowMs)
    }
    if (!this.#deps.resources.hasDescriptors()) {
      this.#strains.note('descriptors', nowMs)
      this.#shedSome(nowMs)
    }
    this.#strains.look(nowMs)
  }

  #shedSome(nowMs: number): void {
    const share = Math.ceil(this.seats.size * SHED_SHARE)
    this.seats.shed(Math.max(SHED_CONNECTIONS, share), nowMs)
  }

  async untilQuiet(): Promise<void> {
    if (this.seats.size > 0) await this.#quiet.promise
  }
}
