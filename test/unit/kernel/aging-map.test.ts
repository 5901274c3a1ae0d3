import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AgingMap, createAgingMap, createRecentKeys } from '../../../src/kernel/index.ts'

/** What is meant: slow, but plainly right. */
class PlainMap implements Mutable {
  readonly #map = new Map<number, number>()

  set(key: number, value: number): void {
    this.#map.delete(key)
    this.#map.set(key, value)
  }

  renew(key: number): void {
    const value = this.#map.get(key)
    if (value !== undefined) this.set(key, value)
  }

  delete(key: number): void {
    this.#map.delete(key)
  }

  entries(): readonly (readonly [number, number])[] {
    return [...this.#map]
  }
}

type Mutable = Pick<AgingMap<number, number>, 'set' | 'renew' | 'delete'>

const STEPS: readonly ((map: Mutable, key: number, value: number) => void)[] = [
  (map, key, value) => map.set(key, value),
  (map, key) => map.renew(key),
  (map, key) => map.delete(key),
]

describe('a map in order of age', () => {
  it('is in the order in which a plain map would be that deletes and adds again', () => {
    const step = fc.tuple(fc.constantFrom(...STEPS), fc.integer({ min: 0, max: 8 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const aging = createAgingMap<number, number>()
        const plain = new PlainMap()
        for (const [value, [does, key]] of steps.entries()) {
          for (const map of [aging, plain]) does(map, key, value)
          expect([...aging.entries()]).toEqual(plain.entries())
          expect(aging.size).toBe(plain.entries().length)
        }
      }),
    )
  })

  it('lets what is looked at be deleted', () => {
    const aging = createAgingMap<string, number>()
    for (const key of ['a', 'b', 'c']) aging.set(key, 1)
    for (const [key] of aging.entries()) aging.delete(key)
    expect([...aging.entries()]).toEqual([])
    aging.set('d', 1)
    expect([...aging.entries()]).toEqual([['d', 1]])
    aging.clear()
    expect([aging.size, [...aging.entries()]]).toEqual([0, []])
  })
})

describe('keys met lately', () => {
  it('are so many, and the oldest makes room', () => {
    const keys = createRecentKeys<string>(2)
    for (const key of ['a', 'b', 'a', 'c']) keys.add(key)
    expect(['a', 'b', 'c'].map((key) => keys.has(key))).toEqual([false, true, true])
    keys.delete('b')
    keys.add('d')
    expect([keys.has('c'), keys.has('d'), keys.size]).toEqual([true, true, 2])
  })

  it('cost the same however many there are', () => {
    const perNewcomerMs = (max: number): number => {
      const keys = createRecentKeys<number>(max)
      for (let key = 0; key < max; key += 1) keys.add(key)
      const startedAt = performance.now()
      for (let key = max; key < max + 20_000; key += 1) keys.add(key)
      return (performance.now() - startedAt) / 20_000
    }
    perNewcomerMs(100)
    // A plain set takes 0.05 ms at this size; this takes a hundredth of it on an idle machine.
    expect(perNewcomerMs(50_000)).toBeLessThan(0.01)
  })
})
