import type { Urgency } from '../kernel/index.ts'
import type { Desk } from './work.ts'

const ROOM_MAX = 1_000

/** How many orders could be placed now: at the first CA that is there and has any room. */
export async function roomAt(preferred: readonly Desk[], urgency: Urgency): Promise<number> {
  const kind = urgency === 'first' ? 'first' : 'renewal'
  for (const { authority, health, ledger } of preferred) {
    if ((await health.read()).condition.kind !== 'up') continue
    const room = await ledger.room(authority, { kind, urgency })
    if (room > 0) return Math.min(ROOM_MAX, room)
  }
  return 0
}
