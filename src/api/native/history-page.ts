import type { HistoryView, Page, PageRequest } from '../ports.ts'

/**
 * The part of a history (oldest first) that follows a cursor. A cursor is the instant of the last
 * entry seen and how many entries of that instant were seen: it holds while old ones are dropped.
 */
export function pageOfHistory(
  entries: readonly HistoryView[],
  { limit, cursor }: PageRequest,
): Page<HistoryView> {
  const rest = cursor === undefined ? entries : entriesAfter(entries, cursor)
  const items = rest.slice(0, limit)
  const last = items.at(-1)
  if (!last || rest.length <= limit) return { items }
  const end = entries.length - rest.length + items.length
  const seen = entries.slice(0, end).filter(({ at }) => at.getTime() === last.at.getTime())
  return { items, nextCursor: `${last.at.getTime()}-${seen.length}` }
}

function entriesAfter(entries: readonly HistoryView[], cursor: string): readonly HistoryView[] {
  const [at = Number.NaN, seen = Number.NaN] = cursor.split('-').map(Number)
  const later = entries.filter((entry) => entry.at.getTime() > at)
  const same = entries.filter((entry) => entry.at.getTime() === at)
  return [...same.slice(seen), ...later]
}
