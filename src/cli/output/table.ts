import { printable } from './printable.ts'

/** Columns by title; `undefined` shows as a dash. */
export type TableRow = readonly (string | undefined)[]

/** A table for people: titles in capitals, columns two blanks apart, nothing at line ends. */
export function toTable(titles: readonly string[], rows: readonly TableRow[]): string {
  const lines = [titles.map((title) => title.toUpperCase()), ...rows.map(cellsOf)]
  const widths = titles.map((_, column) =>
    Math.max(...lines.map((line) => [...(line[column] ?? '')].length)),
  )
  return lines
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

/** Facts about one thing, name and value; those without a value are left out. */
export function toFacts(facts: readonly (readonly [string, string | undefined])[]): string {
  const known = facts.filter(([, value]) => value !== undefined)
  const width = Math.max(0, ...known.map(([name]) => name.length))
  return known.map(([name, value]) => `${name.padEnd(width)}  ${printable(value ?? '')}\n`).join('')
}

function cellsOf(row: TableRow): readonly string[] {
  return row.map((cell) => (cell === undefined || cell === '' ? '-' : printable(cell)))
}
