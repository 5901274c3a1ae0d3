import type { RenewalCause } from '../../src/acme/index.ts'
import type { HeldLife } from '../../src/lifecycle/index.ts'

/** A certificate that Postern holds, with its plan. */
export interface HeldCertificate {
  /** Which CA it is from, by number. */
  readonly ca: number
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly heldSinceMs: number
  readonly renewAtMs: number
  readonly because: RenewalCause
  /** What the CA suggested when it was last asked; `NaN`: nothing. */
  readonly windowStartMs: number
  readonly windowEndMs: number
  /** The same as the decisions read it. Dates are a quarter of all the work: made once. */
  readonly life: HeldLife
}

/** One that waits out its soak, and the one that it will replace. */
export interface WaitingCertificate {
  readonly certificate: HeldCertificate
  readonly current: HeldCertificate
}

/** The certificates that hosts use, and those that wait out their soak. */
export interface CertificateBook {
  current(host: number): HeldCertificate | undefined
  waiting(host: number): WaitingCertificate | undefined
  /** Keeps one that is not used yet. */
  save(host: number, waiting: WaitingCertificate): void
  /** Puts it to use. */
  activate(host: number, certificate: HeldCertificate): void
  /** The one in use has another plan. */
  replan(host: number, certificate: HeldCertificate): void
  /** The key is destroyed: there is none any more. */
  drop(host: number): void
  readonly inUse: number
  /** How many of each lifetime are in use. */
  byLifetime(): readonly { readonly certificates: number; readonly lifetimeMs: number }[]
}

const CAUSES: readonly RenewalCause[] = [
  ...(['ca-suggested-it', 'ca-says-now', 'two-thirds-used', 'half-used'] as const),
  ...(['term-ends', 'nearly-expired'] as const),
]

/** Where a field stands in the record of a host. */
const CA = 0
const CAUSE = 1
const NOT_BEFORE = 2
const NOT_AFTER = 3
const HELD_SINCE = 4
const RENEW_AT = 5
const WINDOW_START = 6
const WINDOW_END = 7
const FIELDS = 8

export function createCertificateBook(hosts: number): CertificateBook {
  const records = new Float64Array(hosts * FIELDS)
  const waitingOf = new Map<number, WaitingCertificate>()
  const isWaiting = new Uint8Array(hosts)
  const countByLifetime = new Map<number, number>()
  let inUse = 0
  const count = (at: number, change: 1 | -1): void => {
    const lifetimeMs = (records[at + NOT_AFTER] ?? 0) - (records[at + NOT_BEFORE] ?? 0)
    countByLifetime.set(lifetimeMs, (countByLifetime.get(lifetimeMs) ?? 0) + change)
    inUse += change
  }

  const drop = (host: number): void => {
    const at = host * FIELDS
    if (!records[at + NOT_AFTER]) return
    count(at, -1)
    records[at + NOT_AFTER] = 0
  }
  const use = (host: number, certificate: HeldCertificate): void => {
    drop(host)
    const at = host * FIELDS
    records[at + CA] = certificate.ca
    records[at + CAUSE] = CAUSES.indexOf(certificate.because)
    records[at + NOT_BEFORE] = certificate.notBeforeMs
    records[at + NOT_AFTER] = certificate.notAfterMs
    records[at + HELD_SINCE] = certificate.heldSinceMs
    records[at + RENEW_AT] = certificate.renewAtMs
    records[at + WINDOW_START] = certificate.windowStartMs
    records[at + WINDOW_END] = certificate.windowEndMs
    count(at, 1)
  }
  return {
    current: (host) => {
      const at = host * FIELDS
      const notAfterMs = records[at + NOT_AFTER] ?? 0
      if (notAfterMs === 0) return undefined
      return withLife({
        notAfterMs,
        ca: records[at + CA] ?? 0,
        because: CAUSES[records[at + CAUSE] ?? 0] ?? 'ca-suggested-it',
        notBeforeMs: records[at + NOT_BEFORE] ?? 0,
        heldSinceMs: records[at + HELD_SINCE] ?? 0,
        renewAtMs: records[at + RENEW_AT] ?? 0,
        windowStartMs: records[at + WINDOW_START] ?? 0,
        windowEndMs: records[at + WINDOW_END] ?? 0,
      })
    },
    waiting: (host) => (isWaiting[host] === 1 ? waitingOf.get(host) : undefined),
    save: (host, waiting) => {
      isWaiting[host] = 1
      waitingOf.set(host, waiting)
    },
    activate: (host, certificate) => {
      isWaiting[host] = 0
      waitingOf.delete(host)
      use(host, certificate)
    },
    replan: use,
    drop,
    get inUse() {
      return inUse
    },
    byLifetime: () =>
      [...countByLifetime].map(([lifetimeMs, certificates]) => ({ certificates, lifetimeMs })),
  }
}

function withLife(certificate: Omit<HeldCertificate, 'life'>): HeldCertificate {
  const { notBeforeMs, notAfterMs, renewAtMs, heldSinceMs, because } = certificate
  const life: HeldLife = {
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    renewAt: new Date(renewAtMs),
    renewBecause: because,
    createdAt: new Date(heldSinceMs),
  }
  // Written out: ten million copies of ten fields.
  return {
    life,
    ca: certificate.ca,
    because,
    notBeforeMs,
    notAfterMs,
    heldSinceMs,
    renewAtMs,
    windowStartMs: certificate.windowStartMs,
    windowEndMs: certificate.windowEndMs,
  }
}
