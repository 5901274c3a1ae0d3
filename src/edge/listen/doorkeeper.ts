import type { Socket } from 'node:net'
import type { Clock } from '../../kernel/index.ts'
import type { EdgeRecord, ShedReason } from '../../telemetry/index.ts'
import { SHED_CONNECTIONS, SHED_PAUSE_MS, SHED_SHARE } from '../limits.ts'
import type { ShortageWatch } from '../ports.ts'
import { createAdmission } from './admission.ts'
import { connectionsWhenHigh, judgeMemory } from './memory-plan.ts'
import type { Networks } from './peer-network.ts'
import type { Resources } from './resources.ts'
import { createSeats, type Seat } from './seats.ts'
import { createStrains } from './strains.ts'

//  accepted ─► its address? ─► memory? ─► a seat? ─┬─► TLS, gate
//                 close          close       shed  └─► … or close
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
  readonly watch: ShortageWatch
  readonly resources: Pick<Resources, 'memory' | 'memoryUse' | 'hasDescriptors'>
}

export interface DoorkeeperOptions {
  /** The most at once, of all. */
  readonly connectionsMax: number
  /** Addresses that many share, and that are not limited one by one. */
  readonly shared: Networks
}

export function createDoorkeeper(
  { record, clock, watch, resources }: DoorkeeperDeps,
  { connectionsMax, shared }: DoorkeeperOptions,
): Doorkeeper {
  const admission = createAdmission()
  const seats = createSeats({ onShed: record.connectionShed })
  const strains = createStrains({ record, watch })
  const seatsWhenHigh = connectionsWhenHigh(resources.memory)
  let isHigh = false
  let noRoomUntilMs = 0
  let quiet = Promise.withResolvers<void>()

  const hasRoom = (nowMs: number): boolean => {
    if (seats.size < connectionsMax) return true
    if (nowMs < noRoomUntilMs) return false
    if (seats.shed(SHED_CONNECTIONS, nowMs) > 0) return true
    noRoomUntilMs = nowMs + SHED_PAUSE_MS
    return false
  }
  const whyNot = (address: string, isShared: boolean, nowMs: number): ShedReason | undefined => {
    if (isHigh && seats.size >= seatsWhenHigh) return 'memory'
    // First what is its own doing: nobody else is to lose a seat to one who gets none.
    const verdict = isShared ? 'admitted' : admission.judge(address, nowMs)
    if (verdict !== 'admitted') return verdict
    if (hasRoom(nowMs)) return undefined
    if (!isShared) admission.left(address)
    strains.note('connections', nowMs)
    return 'full'
  }
  const seatTaken = (): void => record.connectionsOpen(seats.size)
  const seatLeft = (): void => {
    record.connectionsOpen(seats.size)
    if (seats.size > 0) return
    quiet.resolve()
    quiet = Promise.withResolvers()
  }
  const shedSome = (nowMs: number): void => {
    seats.shed(Math.max(SHED_CONNECTIONS, Math.ceil(seats.size * SHED_SHARE)), nowMs)
  }
  const lookAtMemory = (nowMs: number): void => {
    const wasHigh = isHigh
    isHigh = judgeMemory(resources.memoryUse(), resources.memory, { isHigh }).isHigh
    if (!isHigh) return
    strains.note('memory', nowMs)
    if (!wasHigh) watch.relieve()
    if (seats.size > seatsWhenHigh) shedSome(nowMs)
  }

  return {
    letIn: (socket) => {
      const address = socket.remoteAddress
      // It has left already.
      if (address === undefined) {
        socket.destroy()
        return false
      }
      const nowMs = clock.monotonicMs()
      const isShared = shared.has(address)
      const reason = whyNot(address, isShared, nowMs)
      if (reason !== undefined) {
        record.connectionShed(reason)
        // Nothing was said that would have to arrive, and nothing is left behind in the kernel.
        socket.resetAndDestroy()
        return false
      }
      seats.take(socket, nowMs, () => {
        if (!isShared) admission.left(address)
        seatLeft()
      })
      seatTaken()
      return true
    },
    look: () => {
      const nowMs = clock.monotonicMs()
      seats.look(nowMs)
      lookAtMemory(nowMs)
      if (!resources.hasDescriptors()) {
        strains.note('descriptors', nowMs)
        shedSome(nowMs)
      }
      strains.look(nowMs)
    },
    get size() {
      return seats.size
    },
    seatOf: (socket) => seats.of(socket, clock.monotonicMs()),
    clear: seats.clear,
    untilQuiet: async () => {
      if (seats.size > 0) await quiet.promise
    },
  }
}
