import { beforeEach, describe, expect, it } from 'vitest'
import { createStrains, type Strains } from '../../../../src/edge/listen/strains.ts'

let said: string[]
let strains: Strains

beforeEach(() => {
  said = []
  strains = createStrains({
    record: {
      shortageBegan: (of) => said.push(`${of} recorded`),
      shortageEnded: (of) => said.push(`${of} over`),
    },
    watch: {
      began: (of) => said.push(`${of} told`),
      ended: (of) => said.push(`${of} taken back`),
      relieve: () => undefined,
    },
  })
})

function pass(fromMs: number, toMs: number, isShort: boolean): void {
  for (let nowMs = fromMs; nowMs < toMs; nowMs += 1000) {
    if (isShort) strains.note('memory', nowMs)
    strains.look(nowMs)
  }
}

describe('a shortage', () => {
  it('that passes within seconds is not told', () => {
    pass(0, 5000, true)
    pass(5000, 60_000, false)
    expect(said).toEqual([])
  })

  it('that lasts is told once, and taken back once it has stayed away', () => {
    pass(0, 30_000, true)
    expect(said).toEqual(['memory recorded', 'memory told'])
    pass(30_000, 33_000, false)
    pass(33_000, 34_000, true)
    expect(said).toHaveLength(2)
    pass(34_000, 40_000, false)
    expect(said.slice(2)).toEqual(['memory over', 'memory taken back'])
  })

  it('is told each time anew', () => {
    pass(0, 10_000, true)
    pass(10_000, 20_000, false)
    pass(20_000, 30_000, true)
    expect(said.filter((one) => one === 'memory told')).toHaveLength(2)
  })
})
