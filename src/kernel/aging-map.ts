/**
 * A map in order of age. Finding and dropping its oldest entry takes the same time however many
 * there are: a plain `Map` steps over the traces of all that were dropped before, 50 µs with 30,000.
 */
export interface AgingMap<Key, Value> {
  get(key: Key): Value | undefined
  has(key: Key): boolean
  /** It is the youngest from now on. */
  set(key: Key, value: Value): void
  /** Makes it the youngest, if it is there. */
  renew(key: Key): void
  delete(key: Key): void
  clear(): void
  /** The oldest first. The one at hand MAY be deleted. */
  entries(): Iterable<readonly [key: Key, value: Value]>
  readonly size: number
}

export function createAgingMap<Key, Value>(): AgingMap<Key, Value> {
  return new LinkedMap()
}

/** Keys met lately, at most `max` of them: the oldest makes room. */
export interface RecentKeys<Key> {
  has(key: Key): boolean
  /** One that is there keeps its age. */
  add(key: Key): void
  delete(key: Key): void
  clear(): void
  readonly size: number
}

export function createRecentKeys<Key>(max: number): RecentKeys<Key> {
  const keys = createAgingMap<Key, true>()
  return {
    has: (key) => keys.has(key),
    add: (key) => {
      if (keys.has(key)) return
      if (keys.size >= max) dropOldest(keys)
      keys.set(key, true)
    },
    delete: (key) => keys.delete(key),
    clear: () => keys.clear(),
    get size() {
      return keys.size
    },
  }
}

function dropOldest<Key>(keys: AgingMap<Key, true>): void {
  for (const [oldest] of keys.entries()) {
    keys.delete(oldest)
    return
  }
}

interface Link<Key, Value> {
  readonly key: Key
  value: Value
  older: Link<Key, Value> | undefined
  younger: Link<Key, Value> | undefined
}

class LinkedMap<Key, Value> implements AgingMap<Key, Value> {
  readonly #links = new Map<Key, Link<Key, Value>>()
  #oldest: Link<Key, Value> | undefined
  #youngest: Link<Key, Value> | undefined

  get size(): number {
    return this.#links.size
  }

  get(key: Key): Value | undefined {
    return this.#links.get(key)?.value
  }

  has(key: Key): boolean {
    return this.#links.has(key)
  }

  set(key: Key, value: Value): void {
    const known = this.#links.get(key)
    if (known) {
      known.value = value
      this.#moveToEnd(known)
      return
    }
    const link = { key, value, older: undefined, younger: undefined }
    this.#links.set(key, link)
    this.#append(link)
  }

  renew(key: Key): void {
    const link = this.#links.get(key)
    if (link) this.#moveToEnd(link)
  }

  delete(key: Key): void {
    const link = this.#links.get(key)
    if (!link) return
    this.#links.delete(key)
    this.#unlink(link)
  }

  clear(): void {
    this.#links.clear()
    this.#oldest = undefined
    this.#youngest = undefined
  }

  *entries(): Iterable<readonly [Key, Value]> {
    let link = this.#oldest
    while (link) {
      // Read before it is handed out: it may be gone, or the youngest, when we come back.
      const { younger } = link
      yield [link.key, link.value]
      link = younger
    }
  }

  #moveToEnd(link: Link<Key, Value>): void {
    if (link === this.#youngest) return
    this.#unlink(link)
    this.#append(link)
  }

  #append(link: Link<Key, Value>): void {
    link.older = this.#youngest
    link.younger = undefined
    if (this.#youngest) this.#youngest.younger = link
    else this.#oldest = link
    this.#youngest = link
  }

  #unlink({ older, younger }: Link<Key, Value>): void {
    if (older) older.younger = younger
    else this.#oldest = younger
    if (younger) younger.older = older
    else this.#youngest = older
  }
}
