import { describe, expect, it } from 'vitest'
import { createSlots } from '../../../src/lifecycle/slots.ts'

const signal = new AbortController().signal
/** Lets what can go on go on. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('slots', () => {
  it('let in as many as there are, the others in their order', async () => {
    const slots = createSlots(2)
    const entered: number[] = []
    const held = [0, 1, 2, 3].map(async (index) => {
      const slot = await slots.take(signal)
      entered.push(index)
      return slot
    })
    await turn()
    expect(entered).toEqual([0, 1])
    ;(await held[0])?.[Symbol.dispose]()
    await turn()
    expect(entered).toEqual([0, 1, 2])
    ;(await held[1])?.[Symbol.dispose]()
    ;(await held[2])?.[Symbol.dispose]()
    await turn()
    expect(entered).toEqual([0, 1, 2, 3])
  })

  it('are not lost to those who give up, nor by giving back twice', async () => {
    const slots = createSlots(1)
    const first = await slots.take(signal)
    const impatient = new AbortController()
    const giving = slots.take(impatient.signal)
    impatient.abort(new Error('enough'))
    await expect(giving).rejects.toThrow('enough')
    await expect(slots.take(impatient.signal)).rejects.toThrow('enough')
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    await slots.take(signal)
    let isIn = false
    void slots.take(signal).then(() => {
      isIn = true
    })
    await turn()
    expect(isIn).toBe(false)
  })
})
