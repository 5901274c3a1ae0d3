import type { Random } from '../../src/kernel/index.ts'
import type { HeldCertificate } from './certificate-book.ts'
import type { Meter } from './meter.ts'
import { DAY_MS, HOUR_MS, type Scenario } from './scenario.ts'

/** The day when the preferred CA wants a tenth of its certificates replaced at once. */
export interface Incident {
  readonly atMs: number
  /** When CAs have to revoke what was not replaced (CA/B baseline requirements §4.9.1.1). */
  readonly revokesMs: number
  isHit(host: number): boolean
  /** Is it one of those certificates? */
  concerns(host: number, certificate: HeldCertificate): boolean
  /** When the next question about a certificate comes: the answer before was "in 6 hours". */
  asksMs(): number
  noteReplaced(
    host: number,
    before: HeldCertificate,
    now: { readonly meter: Meter; readonly nowMs: number },
  ): void
}

const SHARE = 0.1
const REVOKED_AFTER_MS = 5 * DAY_MS
/** Let's Encrypt's Retry-After, with its jitter of a fifth. */
const ASKED_EVERY_MS = 6 * HOUR_MS
const JITTER = 0.2

export function createIncident(
  { incidentAtMs }: Scenario,
  hosts: number,
  random: Random,
): Incident {
  const atMs = incidentAtMs ?? Number.POSITIVE_INFINITY
  const hit = new Uint8Array(hosts)
  for (let host = 0; host < hosts; host += 1) hit[host] = random.fraction() < SHARE ? 1 : 0
  const isHit = (host: number): boolean => hit[host] === 1
  const concerns = (host: number, { ca, heldSinceMs }: HeldCertificate): boolean =>
    ca === 0 && heldSinceMs < atMs && isHit(host)
  return {
    ...{ atMs, isHit, concerns },
    revokesMs: atMs + REVOKED_AFTER_MS,
    asksMs: () => atMs + ASKED_EVERY_MS * (1 + JITTER * random.fraction()) * random.fraction(),
    noteReplaced: (host, before, { meter, nowMs }) => {
      if (nowMs >= atMs && concerns(host, before)) meter.safeAfter.push(nowMs - atMs)
    },
  }
}
