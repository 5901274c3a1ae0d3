import { describe, expect, it } from 'vitest'
import { withPatience } from '../../../src/store/patience.ts'

const busy = new Error('busy')
const mayTryAgain = (error: unknown): boolean => error === busy

describe('patience', () => {
  it('tries again until the way is free', async () => {
    let tries = 0
    const result = await withPatience(
      () => {
        tries += 1
        if (tries < 4) throw busy
        return 'done'
      },
      { tries: 10, mayTryAgain },
    )
    expect([result, tries]).toEqual(['done', 4])
  })

  it('has an end', async () => {
    let tries = 0
    const waiting = withPatience(
      async () => {
        tries += 1
        throw busy
      },
      { tries: 3, mayTryAgain },
    )
    await expect(waiting).rejects.toBe(busy)
    expect(tries).toBe(3)
  })

  it('is not for other failures', async () => {
    let tries = 0
    const failing = withPatience(
      () => {
        tries += 1
        throw new Error('broken')
      },
      { tries: 3, mayTryAgain },
    )
    await expect(failing).rejects.toThrow('broken')
    expect(tries).toBe(1)
  })
})
