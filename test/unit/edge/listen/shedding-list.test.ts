import { describe, expect, it } from 'vitest'
import { createSheddingList } from '../../../../src/edge/listen/shedding-list.ts'
import type { SeatFacts } from '../../../../src/edge/listen/shedding-plan.ts'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/** Seats that count how often all of them are looked at. */
class Seats extends Set<Mutable<SeatFacts>> {
  looks = 0

  override [Symbol.iterator](): SetIterator<Mutable<SeatFacts>> {
    this.looks += 1
    return super[Symbol.iterator]()
  }
}

const anIdle = (lastActiveMs: number): Mutable<SeatFacts> => ({
  ...{ sinceMs: 0, lastActiveMs, hasAsked: true, isServed: false, stalledSinceMs: undefined },
})

describe('the list of whom to end', () => {
  it('is made once, whoever comes within a sweep', () => {
    const idle = Array.from({ length: 1000 }, (_, index) => anIdle(1000 - index))
    const seats = new Seats(idle)
    seats.looks = 0
    const list = createSheddingList(seats)
    const ended: SeatFacts[] = []
    for (let batch = 0; batch < 15; batch += 1) {
      for (const { seat } of list.take(64, 5000 + batch)) {
        ended.push(seat)
        seats.delete(seat)
      }
    }
    expect(seats.looks).toBe(1)
    expect(ended).toEqual(idle.toReversed().slice(0, 960))
  })

  it('leaves out who has left meanwhile, or has asked for something', () => {
    const [first, second, third] = [anIdle(1), anIdle(2), anIdle(3)]
    const seats = new Seats([anIdle(0), first, second, third])
    const list = createSheddingList(seats)
    list.take(1, 5000)
    seats.delete(first)
    second.isServed = true
    expect(list.take(64, 5001).map(({ seat }) => seat)).toEqual([third])
  })

  it('is made again when it is used up, but not for each who comes', () => {
    const seats = new Seats()
    const list = createSheddingList(seats)
    for (let ms = 0; ms < 500; ms += 1) list.take(64, 5000 + ms)
    expect(seats.looks).toBeLessThanOrEqual(10)
    const late = anIdle(5400)
    seats.add(late)
    expect(list.take(64, 5550)).toEqual([{ seat: late, pursuit: 'idle' }])
  })

  it('is made anew after a sweep', () => {
    const seats = new Seats([anIdle(1), anIdle(2)])
    const list = createSheddingList(seats)
    list.take(1, 5000)
    const longest = anIdle(0)
    seats.add(longest)
    list.forget()
    expect(list.take(1, 5001)).toEqual([{ seat: longest, pursuit: 'idle' }])
  })
})
