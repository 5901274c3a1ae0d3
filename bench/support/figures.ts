import type { Table } from './tables.ts'

export interface BenchOptions {
  /** Smaller numbers: shows that it works, and the order of magnitude. */
  readonly quick: boolean
  /** Whether a part of the bench is wanted, where it has parts: all are, or those of `--part`. */
  wants(part: string): boolean
  say(sentence: string): void
}

/** What a bench found. */
export interface BenchReport {
  readonly figures: readonly Figure[]
  readonly tables?: readonly Table[]
  /** What other programs printed. */
  readonly texts?: readonly string[]
}

/** One measured number, with what it should be where we set ourselves an aim. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly aim?: Aim
  readonly note?: string
}

export type Aim = { readonly atMost: number } | { readonly atLeast: number }

function isMet({ value, aim }: Figure): boolean | undefined {
  if (!aim) return undefined
  return 'atMost' in aim ? value <= aim.atMost : value >= aim.atLeast
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN
}

export function printFigures(title: string, figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    formatNumber(figure.value),
    figure.unit,
    aimText(figure),
    figure.note ?? '',
  ])
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
  return `\n${title}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

function aimText(figure: Figure): string {
  const { aim } = figure
  if (!aim) return ''
  const wanted = 'atMost' in aim ? `≤ ${aim.atMost}` : `≥ ${aim.atLeast}`
  return `aim ${wanted} ${isMet(figure) ? 'met' : 'MISSED'}`
}

function formatNumber(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
