/**
 * What is due when, for items numbered from 0, each at most once: a list for every minute, so that
 * putting, moving and taking away cost the same however many there are.
 */
export interface Calendar {
  /** Puts or moves an item. What lies in the past is due now; what lies past the end, never. */
  put(item: number, atMs: number): void
  remove(item: number): void
  /**
   * Plays a minute: hands out what is due in it, the earliest first, until nothing is; what is put
   * in meanwhile may still come in the same minute, and what is put in later comes in the next.
   */
  play(minute: number, play: (item: number, dueMs: number) => void): void
}

export const MINUTE_MS = 60_000

const NONE = -1

/** Where a field stands in the record of an item. */
const NEXT = 0
const PREVIOUS = 1
const MINUTE = 2
const MS_IN_MINUTE = 3
const FIELDS = 4

export function createCalendar(
  items: number,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
): Calendar {
  const minutes = Math.ceil((endMs - startMs) / MINUTE_MS)
  const heads = new Int32Array(minutes).fill(NONE)
  const records = new Int32Array(items * FIELDS).fill(NONE)
  let now = 0

  const remove = (item: number): void => {
    const at = item * FIELDS
    const minute = records[at + MINUTE] ?? NONE
    if (minute === NONE) return
    const [before, behind] = [records[at + PREVIOUS] ?? NONE, records[at + NEXT] ?? NONE]
    if (before === NONE) heads[minute] = behind
    else records[before * FIELDS + NEXT] = behind
    if (behind !== NONE) records[behind * FIELDS + PREVIOUS] = before
    records[at + MINUTE] = NONE
  }
  const take = (minute: number): readonly number[] => {
    const first = heads[minute] ?? NONE
    if (first === NONE) return NOTHING
    const due: number[] = []
    for (let item = first; item !== NONE; item = records[item * FIELDS + NEXT] ?? NONE) {
      due.push(item)
      records[item * FIELDS + MINUTE] = NONE
    }
    heads[minute] = NONE
    // By number where times are the same: the order must not hang on how lists were built.
    if (due.length > 1) due.sort((a, b) => msOf(a) - msOf(b) || a - b)
    return due
  }
  const msOf = (item: number): number => records[item * FIELDS + MS_IN_MINUTE] ?? 0

  return {
    put: (item, atMs) => {
      remove(item)
      const due = Math.floor((atMs - startMs) / MINUTE_MS)
      const minute = Math.max(now, due)
      if (minute >= minutes) return
      const at = item * FIELDS
      const head = heads[minute] ?? NONE
      records[at + MS_IN_MINUTE] = due < now ? 0 : atMs - startMs - due * MINUTE_MS
      records[at + MINUTE] = minute
      records[at + PREVIOUS] = NONE
      records[at + NEXT] = head
      if (head !== NONE) records[head * FIELDS + PREVIOUS] = item
      heads[minute] = item
    },
    remove,
    play: (minute, play) => {
      now = minute
      for (let due = take(minute); due.length > 0; due = take(minute)) {
        for (const item of due) play(item, startMs + minute * MINUTE_MS + msOf(item))
      }
      now = minute + 1
    },
  }
}

const NOTHING: readonly number[] = []
