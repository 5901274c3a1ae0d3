import { describe, expect, it } from 'vitest'
import type { CaHealth } from '../../../src/acme/index.ts'
import { type Duration, hours, minutes } from '../../../src/kernel/index.ts'
import { createClockWitness } from '../../../src/lifecycle/clock-witness.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const SAID: CaHealth = {
  ...{ kind: 'reachable', name: 'Test CA', caDate: new Date(0) },
  ...{ terms: undefined, obstacle: undefined },
}
const AWAY: CaHealth = { kind: 'unreachable', name: 'Test CA', reason: 'no answer', fix: 'Wait.' }

const open = (answer: () => CaHealth, learns: Duration | undefined = undefined) => {
  const clock = createFakeClock()
  const state = { asked: 0, skew: undefined as Duration | undefined }
  const witness = createClockWitness({
    clock,
    issuer: {
      clockSkew: () => state.skew,
      checkHealth: async () => {
        state.asked += 1
        state.skew ??= learns
        return [answer()]
      },
    },
  })
  return { clock, state, witness }
}

describe('whether our clock is right', () => {
  it('is asked once, however many want to know, and again after some minutes', async () => {
    const { clock, state, witness } = open(() => SAID, minutes(1))
    expect(witness.verdict()).toBe('unknown')
    const words = await Promise.all([witness.ask(), witness.ask(), witness.ask()])
    expect(words).toEqual(['right', 'right', 'right'])
    expect(await witness.ask()).toBe('right')
    expect(state.asked).toBe(1)
    await clock.advance(minutes(10))
    expect(await witness.ask()).toBe('right')
    expect(state.asked).toBe(2)
    expect(witness.verdict()).toBe('right')
  })

  it('follows from more than an hour either way', () => {
    const { state, witness } = open(() => SAID)
    for (const [skew, word] of [
      [hours(1), 'right'],
      [hours(1.1), 'wrong'],
      [hours(-1.1), 'wrong'],
    ] as const) {
      state.skew = skew as Duration
      expect(witness.verdict()).toBe(word)
      expect(witness.believes()).toBe(word === 'right')
    }
  })

  it('is asked again each minute while it is said to be wrong: the machine may have slept', async () => {
    const { clock, state, witness } = open(() => SAID, hours(5))
    expect(await witness.ask()).toBe('wrong')
    expect(await witness.ask()).toBe('wrong')
    expect(state.asked).toBe(1)
    await clock.advance(minutes(1))
    state.skew = minutes(0)
    expect(await witness.ask()).toBe('right')
  })

  it('stays unknown while no CA answers, and is believed for what can be undone after hours', async () => {
    const { clock, state, witness } = open(() => AWAY)
    expect(await witness.ask()).toBe('unknown')
    expect(await witness.ask()).toBe('unknown')
    expect(state.asked).toBe(1)
    expect(witness.believes()).toBe(false)
    await clock.advance(hours(6))
    expect(await witness.ask()).toBe('unknown')
    expect(witness.believes()).toBe(true)
  })
})
