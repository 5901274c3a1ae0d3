/** What a bench shows besides its figures. */
export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** How to read it, below it. */
  readonly notes?: readonly string[]
}

/** Aligned columns: the first to the left, numbers to the right. */
export function printTable({ title, columns, rows, notes = [] }: Table): string {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `  ${cells
      .map((cell, index) => {
        const width = widths[index] ?? 0
        return index === 0 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd()}\n`
  const ruler = widths.map((width) => '─'.repeat(width))
  const below = notes.map((note) => `  ${note}\n`).join('')
  return `\n${title}\n${line(columns)}${line(ruler)}${rows.map(line).join('')}${below}`
}
