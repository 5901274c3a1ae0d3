import { type Clock, hours, type Periodic, type Random, startPeriodic } from '../kernel/index.ts'
import type { AppRecord } from '../telemetry/index.ts'

/** Node's ticket keys: 16 bytes of name, 16 for HMAC, 16 for AES (tls.Server.setTicketKeys). */
const TICKET_KEY_BYTES = 48
/** How long a stolen key could open recorded resumptions. */
const ROTATE_EVERY = hours(12)

/** Draws the keys that all edges of this node share, in memory only. */
export function drawTicketKeys(random: Random): Uint8Array {
  return random.bytes(TICKET_KEY_BYTES)
}

/** Gives every edge new ticket keys from time to time. The first round is the start itself. */
export function rotateTicketKeys(
  { clock, random, record }: { clock: Clock; random: Random; record: AppRecord },
  use: (keys: Uint8Array) => void,
): Periodic {
  let isFirst = true
  return startPeriodic(
    async () => {
      if (!isFirst) use(drawTicketKeys(random))
      isFirst = false
    },
    {
      clock,
      every: ROTATE_EVERY,
      onError: (error) => record.backgroundFailed({ loop: 'ticket-keys', error }),
    },
  )
}
