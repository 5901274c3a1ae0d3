/** Keeps what was used lately, within a bound in bytes. */
export interface ByteBoundedLru<Key, Value> {
  /** Counts as a use. */
  get(key: Key): Value | undefined
  /** Makes room by dropping what was not used for longest. */
  set(key: Key, value: Value, bytes: number): void
  delete(key: Key): void
  clear(): void
  /** All values, the least recently used first. Does not count as a use. */
  values(): Iterable<Value>
  readonly size: number
  readonly bytes: number
}

export function createByteBoundedLru<Key, Value>(bytesMax: number): ByteBoundedLru<Key, Value> {
  // A Map remembers the order of insertion: whatever is used goes to its end.
  const entries = new Map<Key, { readonly value: Value; readonly bytes: number }>()
  let total = 0

  const drop = (key: Key): void => {
    total -= entries.get(key)?.bytes ?? 0
    entries.delete(key)
  }
  return {
    get: (key) => {
      const entry = entries.get(key)
      if (!entry) return undefined
      entries.delete(key)
      entries.set(key, entry)
      return entry.value
    },
    set: (key, value, bytes) => {
      drop(key)
      entries.set(key, { value, bytes })
      total += bytes
      for (const oldest of entries.keys()) {
        if (total <= bytesMax) return
        drop(oldest)
      }
    },
    delete: drop,
    clear: () => {
      entries.clear()
      total = 0
    },
    values: () => entries.values().map(({ value }) => value),
    get size() {
      return entries.size
    },
    get bytes() {
      return total
    },
  }
}
