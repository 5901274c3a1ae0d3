import { describe, expect, it } from 'vitest'
import { openTicketKeys } from '../../../src/app/ticket-keys.ts'
import type { TicketKey } from '../../../src/edge/index.ts'
import { systemRandom } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { describeEachStore } from '../../support/stores.ts'
import { aVault } from '../../support/vaults.ts'

const HOUR = 3_600_000
const EPOCH = 12 * HOUR

function open(store: Pick<Store, 'db' | 'nowMs' | 'transaction'>, clock: FakeClock) {
  const failures: unknown[] = []
  const record = { backgroundFailed: ({ error }: { error: unknown }) => void failures.push(error) }
  const deps = { store, vault: aVault(), clock, random: systemRandom, record }
  return openTicketKeys(deps).then((tickets) => ({ tickets, failures }))
}

const copyOf = (keys: readonly TicketKey[]) =>
  keys.map(({ bytes, ...times }) => ({ ...times, bytes: Buffer.from(bytes).toString('hex') }))

describeEachStore((openTestStore) => {
  const now = () => new Date().toISOString()

  it('are the same on all nodes and after a restart, for this epoch and the next', async () => {
    const store = await openTestStore()
    const clock = createFakeClock(now())
    const nodes = await Promise.all([open(store, clock), open(store, clock), open(store, clock)])
    const [first, ...others] = nodes.map(({ tickets }) => copyOf(tickets.current))
    expect(others).toEqual([first, first])
    expect(copyOf((await open(store, clock)).tickets.current)).toEqual(first)
    expect(nodes.flatMap(({ failures }) => failures)).toEqual([])

    const [present, next] = first ?? []
    expect(first).toHaveLength(2)
    expect(present?.sealsFromMs).toBe(Math.floor(clock.now().getTime() / EPOCH) * EPOCH)
    expect(next?.sealsFromMs).toBe((present?.sealsFromMs ?? 0) + EPOCH)
    expect(next?.opensUntilMs).toBe((next?.sealsFromMs ?? 0) + 36 * HOUR)
    expect(present?.bytes).toMatch(/^[0-9a-f]{96}$/)
    expect(present?.bytes).not.toBe(next?.bytes)
  })

  it('are joined by those of the epoch after next in time; the old ones stay for a day', async () => {
    const store = await openTestStore()
    const clock = createFakeClock(now())
    const { tickets } = await open(store, clock)
    const before = copyOf(tickets.current)
    const given: (readonly TicketKey[])[] = []
    await using keeping = tickets.keepFresh((keys) => given.push(keys))
    await clock.advance(EPOCH)
    keeping.wake()
    await expect.poll(() => tickets.current.length).toBe(3)
    expect(copyOf(tickets.current).slice(0, 2)).toEqual(before)
    // What was handed over before is zeroed.
    for (const keys of given.slice(0, -1)) expect(keys.every(isZeroed)).toBe(true)
  })

  it('are gone from the store once no ticket of theirs is taken', async () => {
    const store = await openTestStore()
    const clock = createFakeClock(new Date(Date.now() - 50 * HOUR).toISOString())
    await open(store, clock)
    const rows = () => store.db.selectFrom('ticket_secrets').select('id').orderBy('id').execute()
    const old = await rows()
    const { tickets } = await open(store, createFakeClock(now()))
    expect(await rows()).not.toEqual(expect.arrayContaining([old[0]]))
    expect(tickets.current.every(({ opensUntilMs }) => opensUntilMs > Date.now())).toBe(true)
  })

  it('leaves what other nodes have alone, when its own clock is years ahead', async () => {
    const store = await openTestStore()
    const { tickets } = await open(store, createFakeClock(now()))
    await open(store, createFakeClock('2031-01-01T00:00:00Z'))
    const after = await open(store, createFakeClock(now()))
    expect(copyOf(after.tickets.current)).toEqual(copyOf(tickets.current))
  })

  it('take the place of its own within seconds, once a store that was away at start is back', async () => {
    const store = await openTestStore()
    const clock = createFakeClock(now())
    const shared = copyOf((await open(store, clock)).tickets.current)
    let isAway = true
    const flaky = new Proxy(store, {
      get: (target, name) => {
        if (isAway) throw new Error('away')
        return Reflect.get(target, name)
      },
    })
    const { tickets } = await open(flaky, clock)
    expect(copyOf(tickets.current)).not.toEqual(shared)
    const given: unknown[] = []
    await using _ = tickets.keepFresh((keys) => given.push(copyOf(keys)))
    await clock.advance(6_000)
    isAway = false
    await clock.advance(5_000)
    await expect.poll(() => given).toEqual([shared])
    // From then on seldom: it has what the others have.
    await clock.advance(60_000)
    expect(given).toHaveLength(1)
  })

  it('does without a secret that does not open', async () => {
    const store = await openTestStore()
    const clock = createFakeClock(now())
    const before = copyOf((await open(store, clock)).tickets.current)
    const id = `${new Date(before[0]?.sealsFromMs ?? 0).toISOString().slice(0, 16)}Z`
    await store.db
      .updateTable('ticket_secrets')
      .set({ sealed: Buffer.alloc(120, 1) })
      .where('id', '=', id)
      .execute()
    const { tickets, failures } = await open(store, clock)
    expect(copyOf(tickets.current)).toEqual(before.slice(1))
    expect(failures).toHaveLength(1)
  })
})

describe('without a store', () => {
  it('a node begins with a key of its own, and goes on with those it knew last', async () => {
    const clock = createFakeClock()
    const away = new Proxy(
      {},
      {
        get: () => {
          throw new Error('away')
        },
      },
    ) as Store
    const { tickets, failures } = await open(away, clock)
    const before = copyOf(tickets.current)
    expect(before).toHaveLength(1)
    await using keeping = tickets.keepFresh(() => expect.unreachable())
    await clock.advance(HOUR / 10)
    keeping.wake()
    await clock.advance(HOUR / 10)
    expect(copyOf(tickets.current)).toEqual(before)
    expect(failures.length).toBeGreaterThan(1)
  })
})

const isZeroed = ({ bytes }: TicketKey): boolean => bytes.every((byte) => byte === 0)
