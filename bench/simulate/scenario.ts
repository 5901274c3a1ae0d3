/** What happens to the fleet and at the CAs; the names of `--scenario`. */
export const HAPPENINGS = [
  'bulk-arrival',
  'short-outage',
  'long-outage',
  'lifetime-change',
  'replace-now',
  'leavers',
  'broken-dns',
  'restarts',
  'quiet-hosts',
] as const

export type Happening = (typeof HAPPENINGS)[number]

/** Something to mark in the picture, and where a phase begins. */
export interface Mark {
  readonly atMs: number
  readonly title: string
}

/** The dates of a run. Which host is hit by what is drawn for each host (`population.ts`). */
export interface Scenario {
  readonly startMs: number
  readonly endMs: number
  readonly happenings: ReadonlySet<Happening>
  /** Customers come until then. */
  readonly arrivalsEndMs: number
  /** One account brings all its hosts within an hour from then on. */
  readonly bulkAtMs: number
  /** Of the preferred CA. */
  readonly outages: readonly { readonly fromMs: number; readonly toMs: number }[]
  readonly lifetimeAt: (nowMs: number) => number
  readonly incidentAtMs: number | undefined
  /** From then on customers leave, evenly until the end. */
  readonly leavingFromMs: number
  readonly marks: readonly Mark[]
}

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** 2026-12-01: which day it is matters to nothing but the labels. */
const START_MS = 1_796_083_200_000
const LIFETIME_BEFORE_MS = 90 * DAY_MS
const LIFETIME_AFTER_MS = 45 * DAY_MS

/** Where in the run it happens, as a share: so a run of 120 days has all that one of 400 has. */
const BULK_AT = 0.025
const ARRIVALS_END = 0.0875
const SHORT_OUTAGE_AT = 0.25
const LONG_OUTAGE_AT = 0.32
const LIFETIME_CHANGES_AT = 0.5
const REPLACE_NOW_AT = 0.63
const SECOND_OUTAGE_AT = 0.8
const SHORT_OUTAGE_MS = 3 * DAY_MS
const LONG_OUTAGE_MS = 25 * DAY_MS

export function planScenario(days: number, happenings: ReadonlySet<Happening>): Scenario {
  const at = (share: number): number => START_MS + Math.round(share * days) * DAY_MS
  const has = (happening: Happening): boolean => happenings.has(happening)
  const outage = (share: number, lengthMs: number, happening: Happening) =>
    has(happening) ? [{ fromMs: at(share), toMs: at(share) + lengthMs }] : []
  const outages = [
    ...outage(SHORT_OUTAGE_AT, SHORT_OUTAGE_MS, 'short-outage'),
    ...outage(LONG_OUTAGE_AT, LONG_OUTAGE_MS, 'long-outage'),
    ...outage(SECOND_OUTAGE_AT, SHORT_OUTAGE_MS, 'short-outage'),
  ]
  const changesAtMs = has('lifetime-change') ? at(LIFETIME_CHANGES_AT) : Number.POSITIVE_INFINITY
  const incidentAtMs = has('replace-now') ? at(REPLACE_NOW_AT) : undefined
  const bulkAtMs = START_MS + Math.round(BULK_AT * days * 24) * HOUR_MS
  const marks: readonly Mark[] = [
    ...(has('bulk-arrival') ? [{ atMs: bulkAtMs, title: '10 % arrive in an hour' }] : []),
    { atMs: at(ARRIVALS_END), title: 'all have arrived' },
    ...outages.flatMap(({ fromMs, toMs }) => [
      { atMs: fromMs, title: `CA down for ${(toMs - fromMs) / DAY_MS} days` },
      { atMs: toMs, title: 'CA up again' },
    ]),
    ...(has('lifetime-change') ? [{ atMs: changesAtMs, title: '90 → 45 days' }] : []),
    ...(incidentAtMs ? [{ atMs: incidentAtMs, title: '“replace now” for 10 %' }] : []),
  ]
  return {
    startMs: START_MS,
    endMs: START_MS + days * DAY_MS,
    happenings,
    arrivalsEndMs: at(ARRIVALS_END),
    bulkAtMs,
    outages,
    lifetimeAt: (nowMs) => (nowMs < changesAtMs ? LIFETIME_BEFORE_MS : LIFETIME_AFTER_MS),
    incidentAtMs,
    leavingFromMs: at(ARRIVALS_END),
    marks: marks.toSorted((one, other) => one.atMs - other.atMs),
  }
}
