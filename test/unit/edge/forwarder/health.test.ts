import { describe, expect, it } from 'vitest'
import type { BackendAddress } from '../../../../src/edge/backend/backend-address.ts'
import { createHealth, type Health, type HowEnded } from '../../../../src/edge/forwarder/health.ts'
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts'

const [A, B, C] = ['/a', '/b', '/c'].map((path): BackendAddress => ({ kind: 'unix', path }))

interface World {
  readonly health: Health
  readonly clock: FakeClock
  readonly reports: string[]
  /** Chooses, and says at once how it went. */
  ask(how: HowEnded, tried?: readonly BackendAddress[]): unknown
}

function aWorld(): World {
  const clock = createFakeClock()
  const reports: string[] = []
  const record = {
    backendPaused: ({ backend, pauseMs }: { backend: string; pauseMs: number }) => {
      reports.push(`${backend} paused ${pauseMs}`)
    },
    backendBack: ({ backend }: { backend: string }) => {
      reports.push(`${backend} back`)
    },
  }
  const targets = [A, B, C].filter((one) => one !== undefined)
  const health = createHealth({ clock, record }, targets)
  return {
    health,
    clock,
    reports,
    ask: (how, tried = []) => {
      const backend = health.choose(tried)
      if (backend) health.end(backend, how)
      return backend
    },
  }
}

describe('the choice among backends', () => {
  it('goes round while all are equally busy', () => {
    const { ask } = aWorld()
    expect(Array.from({ length: 6 }, () => ask('answered'))).toEqual([A, B, C, A, B, C])
  })

  it('falls on the one with the fewest requests under way', () => {
    const { health } = aWorld()
    for (const expected of [A, B, C, A]) expect(health.choose([])).toBe(expected)
    if (B && C) for (const one of [C, B]) health.end(one, 'answered')
    expect([health.choose([]), health.choose([])]).toEqual([B, C])
  })

  it('leaves out those that were tried, until none is left', () => {
    const { ask } = aWorld()
    expect(ask('answered', A ? [A] : [])).toBe(B)
    expect(
      ask(
        'answered',
        [A, B, C].filter((one) => one !== undefined),
      ),
    ).toBe(undefined)
  })

  it('does not know backends that are not its own', () => {
    const { health } = aWorld()
    expect(() => health.end({ kind: 'unix', path: '/a' }, 'answered')).toThrow(TypeError)
  })
})

describe('a backend that fails three times in a row', () => {
  const others = [B, C].filter((one) => one !== undefined)

  it('is not asked until its pause is over, then once per longer pause, until it answers', async () => {
    const { ask, clock, reports } = aWorld()
    for (let count = 0; count < 3; count += 1) ask('failed', others)
    expect(ask('answered', others)).toBe(undefined)
    await clock.advance(1000)
    expect(ask('failed', others)).toBe(A)
    expect(ask('answered', others)).toBe(undefined)
    await clock.advance(1999)
    expect(ask('answered', others)).toBe(undefined)
    await clock.advance(1)
    expect(ask('answered', others)).toBe(A)
    expect(ask('answered', others)).toBe(A)
    expect(reports).toEqual(['unix:/a paused 1000', 'unix:/a back'])
  })

  it('is tried before those that do well, or it would never be back', async () => {
    const { ask, clock } = aWorld()
    for (let count = 0; count < 3; count += 1) ask('failed', others)
    await clock.advance(1000)
    expect([ask('answered'), ask('answered'), ask('answered')]).toEqual([A, B, C])
  })

  it('is not judged by visitors who left, nor forgiven for them', () => {
    const { ask } = aWorld()
    ask('failed', others)
    ask('failed', others)
    ask('abandoned', others)
    ask('failed', others)
    expect(ask('answered', others)).toBe(undefined)
  })
})

describe('a backend whose visitors are answered without it three times in a row', () => {
  const others = [B, C].filter((one) => one !== undefined)

  it('is asked after the others, however busy they are, and once when its pause is over', async () => {
    const { health, ask, clock } = aWorld()
    for (let count = 0; count < 3; count += 1) ask('too-slow', others)
    expect(Array.from({ length: 4 }, () => health.choose([]))).toEqual([B, C, B, C])
    await clock.advance(1000)
    expect([health.choose([]), health.choose([])]).toEqual([A, B])
  })

  it('is asked all the same where there is no other', () => {
    const { ask } = aWorld()
    for (let count = 0; count < 5; count += 1) expect(ask('too-slow', others)).toBe(A)
    expect(ask('answered', others)).toBe(A)
  })

  it('is one of them again once it answers', async () => {
    const { ask, clock } = aWorld()
    for (let count = 0; count < 3; count += 1) ask('too-slow', others)
    await clock.advance(1000)
    expect(Array.from({ length: 4 }, () => ask('answered'))).toEqual([A, B, C, A])
  })
})
