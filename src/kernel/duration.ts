import { type Brand, brand } from './brand.ts'

/** A span of time in milliseconds. */
export type Duration = Brand<number, 'Duration'>

export const milliseconds = (count: number): Duration => brand<Duration>(count)
export const seconds = (count: number): Duration => milliseconds(count * 1000)
export const minutes = (count: number): Duration => seconds(count * 60)
export const hours = (count: number): Duration => minutes(count * 60)
export const days = (count: number): Duration => hours(count * 24)

const MS_BY_UNIT = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Reads `90s`, `15m`, `12h`, `60d` or `250ms`; `undefined` for anything else. */
export function parseDuration(text: string): Duration | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim())
  if (!match) return undefined
  const [, count, unit] = match
  return milliseconds(Number(count) * MS_BY_UNIT[unit as keyof typeof MS_BY_UNIT])
}

/** Writes a span in its largest whole unit: `60d`, `90s`. The inverse of `parseDuration`. */
export function formatDuration(duration: Duration): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (duration >= MS_BY_UNIT[unit] && duration % MS_BY_UNIT[unit] === 0) {
      return `${duration / MS_BY_UNIT[unit]}${unit}`
    }
  }
  return `${duration}ms`
}

/** The instant `span` after `start` (before it, if negative). */
export function after(start: Date, span: Duration): Date {
  return new Date(start.getTime() + span)
}
