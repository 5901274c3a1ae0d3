import { createAgingMap } from '../kernel/index.ts'

/** Keeps what was used lately, within a bound in bytes. */
export interface ByteBoundedLru<Key, Value> {
  /** Counts as a use. */
  get(key: Key): Value | undefined
  /** Makes room by dropping what was not used for longest. */
  set(key: Key, value: Value, bytes: number): void
  delete(key: Key): void
  /** Drops what was not used for longest, until no more than so many bytes are left. */
  shrinkTo(bytes: number): void
  /** All values, the least recently used first. Does not count as a use. */
  values(): Iterable<Value>
  readonly size: number
  readonly bytes: number
}

export function createByteBoundedLru<Key, Value>(bytesMax: number): ByteBoundedLru<Key, Value> {
  const entries = createAgingMap<Key, { readonly value: Value; readonly bytes: number }>()
  let total = 0

  const drop = (key: Key): void => {
    total -= entries.get(key)?.bytes ?? 0
    entries.delete(key)
  }
  const shrinkTo = (bytes: number): void => {
    if (total <= bytes) return
    for (const [oldest] of entries.entries()) {
      drop(oldest)
      if (total <= bytes) return
    }
  }
  return {
    get: (key) => {
      entries.renew(key)
      return entries.get(key)?.value
    },
    set: (key, value, bytes) => {
      drop(key)
      entries.set(key, { value, bytes })
      total += bytes
      shrinkTo(bytesMax)
    },
    delete: drop,
    shrinkTo,
    *values() {
      for (const [, { value }] of entries.entries()) yield value
    },
    get size() {
      return entries.size
    },
    get bytes() {
      return total
    },
  }
}
