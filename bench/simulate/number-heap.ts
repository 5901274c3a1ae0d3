/** Items numbered from 0, the one with the smallest rank first. */
export interface NumberHeap {
  /** The one with the smallest rank; of several, the one with the smallest number. */
  readonly first: { readonly item: number; readonly rank: number } | undefined
  push(item: number, rank: number): void
  /** Takes the first out, if there is one. */
  pop(): void
}

const FIRST_CAPACITY = 1_024

export function createNumberHeap(): NumberHeap {
  let items = new Int32Array(FIRST_CAPACITY)
  let ranks = new Float64Array(FIRST_CAPACITY)
  let size = 0

  // Equal ranks by number, so that the same run pops the same.
  const isBefore = (item: number, rank: number, index: number): boolean => {
    const other = ranks[index] ?? 0
    return rank < other || (rank === other && item < (items[index] ?? 0))
  }
  const put = (index: number, item: number, rank: number): void => {
    items[index] = item
    ranks[index] = rank
  }
  const moveTo = (index: number, from: number): void => {
    put(index, items[from] ?? 0, ranks[from] ?? 0)
  }
  const grow = (): void => {
    const [moreItems, moreRanks] = [new Int32Array(2 * size), new Float64Array(2 * size)]
    moreItems.set(items)
    moreRanks.set(ranks)
    items = moreItems
    ranks = moreRanks
  }
  const sink = (item: number, rank: number): void => {
    let index = 0
    for (let child = 1; child < size; child = 2 * index + 1) {
      const right = child + 1
      const isRightFirst = right < size && isBefore(items[right] ?? 0, ranks[right] ?? 0, child)
      const first = isRightFirst ? right : child
      if (isBefore(item, rank, first)) break
      moveTo(index, first)
      index = first
    }
    put(index, item, rank)
  }

  return {
    get first() {
      return size === 0 ? undefined : { item: items[0] ?? 0, rank: ranks[0] ?? 0 }
    },
    push: (item, rank) => {
      if (size === items.length) grow()
      let index = size
      size += 1
      while (index > 0) {
        const parent = (index - 1) >> 1
        if (!isBefore(item, rank, parent)) break
        moveTo(index, parent)
        index = parent
      }
      put(index, item, rank)
    },
    pop: () => {
      if (size === 0) return
      size -= 1
      if (size > 0) sink(items[size] ?? 0, ranks[size] ?? 0)
    },
  }
}
