const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

/** `2026-12-22 12:00 (in 30 days)`: an instant in UTC, and how far away it is. */
export function toInstant(iso: string | null | undefined, now: Date): string | undefined {
  if (iso === null || iso === undefined) return undefined
  const away = new Date(iso).getTime() - now.getTime()
  const span = toSpan(Math.abs(away))
  return `${iso.slice(0, 16).replace('T', ' ')} UTC (${away < 0 ? `${span} ago` : `in ${span}`})`
}

/** A day, as tables show it. */
export function toDay(iso: string | null | undefined): string | undefined {
  return iso?.slice(0, 10)
}

/** `   0.42 s`: time passed in a story that is told line by line. */
export function toElapsed(ms: number): string {
  return `${(ms / 1000).toFixed(2).padStart(8)} s`
}

function toSpan(ms: number): string {
  for (const [unit, unitMs] of [
    ['day', DAY_MS],
    ['hour', HOUR_MS],
    ['minute', MINUTE_MS],
  ] as const) {
    const count = Math.floor(ms / unitMs)
    if (count >= 1) return `${count} ${unit}${count === 1 ? '' : 's'}`
  }
  return 'less than a minute'
}
