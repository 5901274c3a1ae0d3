import type { Socket } from 'node:net'
import type { Clock } from '../../kernel/index.ts'
import { createPatience } from '../rescue/patience.ts'

// RFC 9112 §9.6: a socket that is closed with unread bytes in it is reset, and the reset may reach the
// visitor before the answer was read. So a body that nobody wants is read on for a moment, for nobody.

/** How long. Who sends on for longer has had a second to read a page of one line. */
const LINGER_MS = 1000

/** Ends connections so that whoever is still sending can read what was said. */
export interface Farewell {
  /** From now on `destroySoon`, by which node:http ends connections, is such an end while `isSending`. */
  arrange(socket: Socket, isSending: () => boolean): void
}

export function createFarewell(clock: Clock): Farewell {
  const patience = createPatience(clock, LINGER_MS)
  return {
    arrange: (socket, isSending) => {
      const destroySoon = socket.destroySoon.bind(socket)
      let isLeaving = false
      socket.destroySoon = () => {
        if (isLeaving) return
        if (!isSending()) {
          destroySoon()
          return
        }
        isLeaving = true
        socket.once(
          'close',
          patience.await(() => socket.destroy()),
        )
        socket.end()
      }
    },
  }
}
