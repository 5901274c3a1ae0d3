import type { Socket } from 'node:net'
import type { Gate } from '../gate/gate.ts'

/** What takes an accepted TCP connection. */
export interface Listener {
  accept(socket: Socket): void
}

/** Plain http: there is nothing to do before the gate. */
export function createHttpListener({ gate }: { readonly gate: Gate }): Listener {
  return { accept: (socket) => gate.admit(socket) }
}
