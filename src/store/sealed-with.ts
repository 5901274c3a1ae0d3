/** Asks the database for one column of text. */
export type ReadColumn = (sql: string) => Promise<readonly string[]> | readonly string[]

/**
 * Under which master keys anything rests: every table that keeps that has a column `sealed_with`. It
 * goes from one key to the next by the index, past however many secrets, and so takes no time.
 * `tables` lists those that there are; before the second migration there is none.
 */
export async function readSealedWith(
  tables: string,
  { read, toHex, fromHex }: SealedWithReader,
): Promise<readonly string[]> {
  const ids = new Set<string>()
  for (const table of await read(tables)) {
    for (let last: string | undefined = ''; last !== undefined; ) {
      const after: string = fromHex(last)
      const next: readonly string[] = await read(
        `select ${toHex('sealed_with')} from "${table}"
         where sealed_with > ${after} order by sealed_with limit 1`,
      )
      last = next[0]?.toLowerCase()
      if (last !== undefined) ids.add(last)
    }
  }
  return [...ids].toSorted()
}

export interface SealedWithReader {
  readonly read: ReadColumn
  /** How the engine writes bytes as hexadecimal digits, and reads them. */
  readonly toHex: (expression: string) => string
  readonly fromHex: (digits: string) => string
}
