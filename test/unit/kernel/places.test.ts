import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPlaces } from '../../../src/kernel/index.ts'

describe('places', () => {
  it('have in them who came and has not left, as a set would', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 200 }), (steps) => {
        const places = createPlaces<{ readonly name: number }>()
        const set = new Set<{ readonly name: number }>()
        const leaves: (() => void)[] = []
        for (const step of steps) {
          const leave = leaves[step]
          if (leave) leave()
          else {
            const one = { name: leaves.length }
            const leaveAlone = places.take(one)
            set.add(one)
            leaves.push(() => {
              leaveAlone()
              set.delete(one)
            })
          }
          expect(places.size).toBe(set.size)
          expect(new Set(places)).toEqual(set)
        }
      }),
    )
  })

  it('are left once: whoever has the place after that stays', () => {
    const places = createPlaces<{ readonly name: string }>()
    const leave = places.take({ name: 'first' })
    leave()
    const second = { name: 'second' }
    places.take(second)
    leave()
    expect([...places]).toEqual([second])
  })

  it('may be left while they are looked at', () => {
    const places = createPlaces<{ leave(): void }>()
    for (let count = 0; count < 10; count += 1) {
      const one = { leave: () => leave() }
      const leave = places.take(one)
    }
    let seen = 0
    for (const one of places) {
      one.leave()
      seen += 1
    }
    expect([seen, places.size]).toEqual([10, 0])
  })
})
