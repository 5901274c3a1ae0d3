/**
 * Those who are here now, where thousands come and go in a second. V8's `Set` and `Map` are dear
 * then: they begin a new table whenever one is full, each dead table keeps the next one, and so
 * whoever was in them, until a full collection. Here a place that was left is taken again.
 */
export interface Places<One> extends Iterable<One> {
  readonly size: number
  /** Returns how it leaves; to leave again changes nothing. */
  take(one: One): () => void
}

export function createPlaces<One extends object>(): Places<One> {
  const places: (One | undefined)[] = []
  const free: number[] = []
  return {
    get size() {
      return places.length - free.length
    },
    take: (one) => {
      const place = free.pop() ?? places.length
      places[place] = one
      let isHere = true
      return () => {
        if (!isHere) return
        isHere = false
        places[place] = undefined
        free.push(place)
      }
    },
    // Who leaves or comes meanwhile is seen or not, and nobody is seen twice.
    *[Symbol.iterator]() {
      for (let place = 0; place < places.length; place += 1) {
        const one = places[place]
        if (one !== undefined) yield one
      }
    },
  }
}
