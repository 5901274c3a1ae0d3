/** How far something is, in numbers. */
export interface Progress {
  readonly done: number
  readonly total: number
}

/** `[████████░░░░░░░░]  50 %  2,500 of 5,000`: how far something is, for a line that is redrawn. */
export function toProgressBar({ done, total }: Progress): string {
  const fraction = total === 0 ? 1 : Math.min(1, done / total)
  const filled = Math.floor(fraction * BAR_CHARACTERS)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_CHARACTERS - filled)
  // Rounded down: 100 % is said when all of it is done, and not before.
  const percent = String(Math.floor(fraction * 100)).padStart(3)
  return `[${bar}] ${percent} %  ${toCount(done)} of ${toCount(total)}`
}

const BAR_CHARACTERS = 24

/** `1,234,567` */
export function toCount(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')
}
