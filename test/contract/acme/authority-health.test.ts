import { expect, it } from 'vitest'
import { createAuthorityHealth } from '../../../src/acme/authority-health.ts'
import { createAuthorityTable } from '../../../src/acme/authority-table.ts'
import { AcmeError, type AcmeErrorOptions, type AcmeProblem } from '../../../src/acme/errors.ts'
import { hours, after as later, minutes, seconds } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { describeEachStore } from '../../support/stores.ts'

const aLimit = (options: AcmeErrorOptions) =>
  new AcmeError('acme/rate-limited', 'too many', { askedFor: 'common', ...options })
const unreachable = new AcmeError('acme/unreachable', 'ECONNREFUSED')
const aProblem = (type: string, status: number): AcmeProblem => ({
  ...{ type, status, detail: type, subproblems: [] },
})

function setUp(store: Store, clock = createFakeClock()) {
  const told: string[] = []
  const record = {
    authorityTroubled: () => void told.push('troubled'),
    authorityBack: () => void told.push('back'),
  }
  const table = createAuthorityTable({ store, now: () => clock.now() })
  const node = () => createAuthorityHealth({ table, clock, record }, { ca: 'letsencrypt' })
  return { clock, told, node }
}

describeEachStore((openTestStore) => {
  it('is well until something is wrong, and costs no write then', async () => {
    const { node, told } = setUp(await openTestStore())
    const health = node()
    expect(await health.read()).toEqual({ condition: { kind: 'up' }, error: undefined })
    expect(await health.enter()).toBe(true)
    await health.noteSuccess()
    expect(told).toEqual([])
  })

  it('holds all nodes until the CA says, and the longest counts', async () => {
    const { clock, node } = setUp(await openTestStore())
    const [one, two] = [node(), node()]
    const until = later(clock.now(), hours(1))
    await one.noteError(aLimit({ retryAt: until }))
    await one.noteError(aLimit({ retryAt: later(clock.now(), minutes(1)) }))
    expect(await two.read()).toMatchObject({
      condition: { kind: 'held', until },
      error: { code: 'acme/rate-limited', message: 'too many', retryAt: until },
    })
    expect(await two.enter()).toBe(false)
    // What was under way when the CA said so does not end the wait.
    await two.noteSuccess()
    expect(await one.enter()).toBe(false)
    await clock.advance(hours(1))
    expect([await one.enter(), await two.enter()]).toEqual([true, true])
  })

  it('holds for a minute when the CA does not say, and for a moment when it says 0', async () => {
    const { clock, node } = setUp(await openTestStore())
    const health = node()
    await health.noteError(aLimit({ retryAt: clock.now() }))
    expect((await health.read()).condition).toEqual({
      ...{ kind: 'held', until: later(clock.now(), seconds(5)) },
    })
    await health.noteError(aLimit({}))
    expect((await health.read()).condition).toMatchObject({ until: later(clock.now(), minutes(1)) })
  })

  it('is down from the first failure on, and one node a minute asks whether it is back', async () => {
    const { clock, node, told } = setUp(await openTestStore())
    const [one, two] = [node(), node()]
    const since = clock.now()
    await one.noteError(unreachable)
    await clock.advance(minutes(1))
    const entered = await Promise.all([one.enter(), two.enter(), one.enter(), two.enter()])
    expect(entered.filter((isIn) => isIn)).toHaveLength(1)
    const [prober, other] = entered[0] || entered[2] ? [one, two] : [two, one]
    expect((await other.read()).condition).toEqual({
      ...{ kind: 'down', since, until: later(clock.now(), minutes(1)) },
    })
    await prober.noteError(unreachable)
    expect((await other.read()).condition).toMatchObject({ kind: 'down', since })
    await clock.advance(minutes(1))
    expect(await prober.enter()).toBe(true)
    await prober.noteSuccess()
    expect((await other.read()).condition).toEqual({ kind: 'up' })
    expect(told.at(-1)).toBe('back')
  })

  it('is down anew when nothing was heard of its trouble for a quarter of an hour', async () => {
    const { clock, node } = setUp(await openTestStore())
    const health = node()
    await health.noteError(unreachable)
    const first = clock.now()
    await clock.advance(minutes(10))
    await health.noteError(unreachable)
    expect((await health.read()).condition).toMatchObject({ kind: 'down', since: first })
    await clock.advance(minutes(16))
    expect((await health.read()).condition).toEqual({ kind: 'up' })
    await health.noteError(unreachable)
    expect((await health.read()).condition).toMatchObject({ kind: 'down', since: clock.now() })
  })

  it('is back with the first step of an order, if it could not be reached', async () => {
    const { clock, node } = setUp(await openTestStore())
    const health = node()
    const failure = new AcmeError('acme/unavailable', '500', { problem: aProblem('odd', 500) })
    for (const error of [failure, failure, failure, failure, failure]) await health.noteError(error)
    await clock.advance(minutes(1))
    const down = { kind: 'down', until: later(clock.now(), minutes(1)) }
    expect(await health.enter()).toBe(true)
    await health.noteAnswer()
    expect((await health.read()).condition).toMatchObject(down)
    await health.noteSuccess()
    expect((await health.read()).condition).toEqual({ kind: 'up' })

    await health.noteError(unreachable)
    await clock.advance(minutes(1))
    expect(await health.enter()).toBe(true)
    await health.noteAnswer()
    expect((await health.read()).condition).toEqual({ kind: 'up' })
  })

  it('is back when it has something against an order', async () => {
    const { clock, node } = setUp(await openTestStore())
    const health = node()
    await health.noteError(unreachable)
    await clock.advance(minutes(1))
    expect(await health.enter()).toBe(true)
    const problem = aProblem('caa', 403)
    await health.noteError(new AcmeError('acme/forbidden-by-caa', 'no', { problem }))
    expect((await health.read()).condition).toEqual({ kind: 'up' })
  })

  it('lets a limit or failure of one order concern that order alone, but not five in a row', async () => {
    const { clock, node } = setUp(await openTestStore())
    const health = node()
    await health.noteError(aLimit({ askedFor: 'one-order', retryAt: later(clock.now(), hours(1)) }))
    const failure = new AcmeError('acme/unavailable', '500', { problem: aProblem('odd', 500) })
    for (let count = 0; count < 4; count += 1) await health.noteError(failure)
    expect((await health.read()).condition).toEqual({ kind: 'up' })
    await health.noteSuccess()
    for (let count = 0; count < 4; count += 1) await health.noteError(failure)
    expect((await health.read()).condition).toEqual({ kind: 'up' })
    await health.noteError(failure)
    expect((await health.read()).condition).toMatchObject({ kind: 'down', since: clock.now() })
  })

  it('refuses us, from the first word about our account on, for whoever has heard it', async () => {
    const { clock, node } = setUp(await openTestStore())
    const [one, restarted] = [node(), node()]
    const problem = aProblem('userActionRequired', 403)
    const refused = new AcmeError('acme/account-refused', 'new terms', { problem })
    await one.noteError(refused)
    const since = clock.now()
    const condition = { kind: 'refuses-us', since, until: later(since, minutes(1)) }
    expect(await one.read()).toMatchObject({ condition, error: { message: 'new terms' } })
    // Who has just started may have been set up otherwise.
    expect(await restarted.enter()).toBe(true)
    await restarted.noteError(refused)
    expect(await restarted.read()).toMatchObject({ condition })
    expect(await restarted.enter()).toBe(false)
    const another = node()
    expect(await another.enter()).toBe(true)
    await another.noteSuccess()
    expect((await one.read()).condition).toEqual({ kind: 'up' })
  })

  it('refuses us when it says so of one step after another, and stays so', async () => {
    const { clock, node } = setUp(await openTestStore())
    const health = node()
    const problem = aProblem('unauthorized', 403)
    const refused = new AcmeError('acme/unauthorized', 'deactivated', { problem })
    for (let count = 0; count < 4; count += 1) await health.noteError(refused)
    expect((await health.read()).condition).toEqual({ kind: 'up' })
    await health.noteError(refused)
    const since = clock.now()
    await clock.advance(minutes(1))
    expect(await health.enter()).toBe(true)
    await health.noteError(refused)
    expect((await health.read()).condition).toMatchObject({ kind: 'refuses-us', since })
  })
})
