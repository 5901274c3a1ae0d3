import type { TicketKey } from '../../src/edge/index.ts'

/** A ticket key of no secrecy: every byte is `fill`. Seals since 1970, opens for ever. */
export function aTicketKey(fill: number, times: Partial<Omit<TicketKey, 'bytes'>> = {}): TicketKey {
  return {
    bytes: new Uint8Array(48).fill(fill),
    sealsFromMs: 0,
    opensUntilMs: Number.POSITIVE_INFINITY,
    ...times,
  }
}
