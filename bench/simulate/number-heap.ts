/** Items numbered from 0, the one with the smallest rank first. */
export interface NumberHeap {
  readonly size: number
  /** The one with the smallest rank. */
  readonly first: { readonly item: number; readonly rank: number } | undefined
  push(item: number, rank: number): void
  /** `undefined` when it is empty. */
  pop(): number | undefined
}

export function createNumberHeap(): NumberHeap {
  const items: number[] = []
  const ranks: number[] = []

  // Equal ranks by number, so that the same run pops the same.
  const isBefore = (one: number, other: number): boolean => {
    const [a, b] = [ranks[one] ?? 0, ranks[other] ?? 0]
    return a < b || (a === b && (items[one] ?? 0) < (items[other] ?? 0))
  }
  const swap = (one: number, other: number): void => {
    const [item, rank] = [items[one] ?? 0, ranks[one] ?? 0]
    items[one] = items[other] ?? 0
    ranks[one] = ranks[other] ?? 0
    items[other] = item
    ranks[other] = rank
  }
  const rise = (start: number): void => {
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(index, parent)) return
      swap(index, parent)
      index = parent
    }
  }
  const sink = (): void => {
    let index = 0
    for (;;) {
      const [left, right] = [2 * index + 1, 2 * index + 2]
      let least = index
      if (left < items.length && isBefore(left, least)) least = left
      if (right < items.length && isBefore(right, least)) least = right
      if (least === index) return
      swap(index, least)
      index = least
    }
  }

  return {
    get size() {
      return items.length
    },
    get first() {
      const [[item], [rank]] = [items, ranks]
      return item === undefined || rank === undefined ? undefined : { item, rank }
    },
    push: (item, rank) => {
      items.push(item)
      ranks.push(rank)
      rise(items.length - 1)
    },
    pop: () => {
      if (items.length === 0) return undefined
      swap(0, items.length - 1)
      const item = items.pop()
      ranks.pop()
      if (items.length > 0) sink()
      return item
    },
  }
}
