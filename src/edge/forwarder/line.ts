import { connect } from 'node:net'
import type { BackendAddress } from '../backend/backend-address.ts'
import { BACKEND_READ_BYTES } from '../limits.ts'

/** A connection to a backend, and the one errand that it is on. */
export interface Line<Errand> {
  errand: Errand | undefined
  /** On the clock that never runs backwards: when its owner is to look what became of it. */
  deadlineMs: number
  /** It was used before, or rested: the backend may be about to close it. */
  isKept: boolean
  readonly isOpen: boolean
  readonly isPaused: boolean
  send(head: string): void
  pause(): void
  resume(): void
  destroy(): void
  /** It took too long to open. */
  giveUp(): void
}

/** Who is told what happens on a line. */
export interface LineOwner<Errand> {
  opened(line: Line<Errand>): void
  /** The bytes are only lent. */
  received(line: Line<Errand>, bytes: Buffer): void
  /** The backend says nothing more. */
  ended(line: Line<Errand>): void
  /** Called once, and last. */
  closed(line: Line<Errand>, why: LineEnd): void
}

export type LineEnd = 'never-opened' | 'timed-out' | 'gone'

/** Dials a backend. */
export function openLine<Errand>(address: BackendAddress, owner: LineOwner<Errand>): Line<Errand> {
  // Its own buffer, read into again and again: an allocation for each read costs a tenth of a request.
  const buffer = Buffer.allocUnsafeSlow(BACKEND_READ_BYTES)
  let isOpen = false
  let why: LineEnd = 'never-opened'
  const socket = connect({
    ...(address.kind === 'unix'
      ? { path: address.path }
      : { host: address.host, port: address.port }),
    noDelay: true,
    onread: {
      buffer,
      callback: (size) => {
        owner.received(line, buffer.subarray(0, size))
        return true
      },
    },
  })
  const line: Line<Errand> = {
    errand: undefined,
    deadlineMs: 0,
    isKept: false,
    get isOpen() {
      return isOpen
    },
    get isPaused() {
      return socket.isPaused()
    },
    send: (head) => {
      socket.write(head, 'latin1')
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    destroy: () => {
      isOpen = false
      socket.destroy()
    },
    giveUp: () => {
      why = 'timed-out'
      socket.destroy()
    },
  }
  socket.on('connect', () => {
    isOpen = true
    why = 'gone'
    owner.opened(line)
  })
  socket.on('end', () => {
    isOpen = false
    owner.ended(line)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ETIMEDOUT' && why === 'never-opened') why = 'timed-out'
  })
  socket.on('close', () => {
    isOpen = false
    owner.closed(line, why)
  })
  return line
}
