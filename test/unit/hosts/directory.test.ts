import { describe, expect, it } from 'vitest'
import { createHostDirectory } from '../../../src/hosts/index.ts'
import type { HostsRecord } from '../../../src/telemetry/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

/** A store that remembers what it was asked, and answers when it is told to. */
function aStore(hostnames: readonly string[]) {
  const ours = new Set(hostnames)
  const asked: string[] = []
  let gate = Promise.resolve()
  let failure: Error | undefined
  return {
    ours,
    asked,
    hold: () => {
      const held = Promise.withResolvers<void>()
      gate = held.promise
      return held.resolve
    },
    fail: (error: Error | undefined) => {
      failure = error
    },
    hot: {
      hasHost: async (hostname: string) => {
        asked.push(hostname)
        const isOurs = ours.has(hostname)
        await gate
        if (failure) throw failure
        return isOurs
      },
      async *hostnames() {
        yield [...ours]
        await gate
      },
    },
  }
}

function aDirectory(hostnames: readonly string[]) {
  const store = aStore(hostnames)
  const unreadable: unknown[] = []
  const record: Pick<HostsRecord, 'directoryLoaded' | 'membershipUnreadable'> = {
    directoryLoaded: () => undefined,
    membershipUnreadable: (failure) => void unreadable.push(failure),
  }
  const random = createSeededRandom()
  const clock = createFakeClock()
  const directory = createHostDirectory({ hot: store.hot, random, clock, record })
  return { store, unreadable, clock, directory }
}

const names = (count: number, prefix = 'email') =>
  Array.from({ length: count }, (_, index) => `${prefix}.customer-${index}.test`)

describe('the directory of hosts', () => {
  it('knows every host that it has loaded, in constant memory, quickly', async () => {
    const { directory } = aDirectory(names(100_000))
    const startedAt = performance.now()
    await directory.load()
    // Well under 0.3 s on an idle machine; the bound is for a busy one.
    expect(performance.now() - startedAt).toBeLessThan(2000)
    for (const name of names(100_000)) if (!directory.has(name)) expect.fail(name)
    expect(directory.bytes / 100_000).toBeLessThan(8)
  })

  it('takes next to no stranger for one of ours, and asks the store about none of the others', async () => {
    const { directory, store } = aDirectory(names(50_000))
    await directory.load()
    const strangers = names(100_000, 'random')
    const taken = strangers.filter((name) => directory.has(name))
    expect(taken.length).toBeLessThan(20)
    for (const stranger of strangers.slice(0, 1000)) {
      expect(await directory.isOurs(stranger)).toBe(false)
    }
    expect(store.asked.length).toBe(strangers.slice(0, 1000).filter(directory.has).length)
  })

  it('grows with the hosts that are added', async () => {
    const { directory } = aDirectory([])
    for (const name of names(20_000)) directory.note(name)
    expect(names(20_000).every((name) => directory.has(name))).toBe(true)
    expect(directory.size).toBe(20_000)
    directory.note('email.customer-1.test')
    expect(directory.size).toBe(20_000)
  })

  it('asks the store once, also when many ask at once', async () => {
    const { directory, store } = aDirectory(names(10))
    await directory.load()
    const host = 'email.customer-3.test'
    const answers = await Promise.all([1, 2, 3].map(async () => directory.isOurs(host)))
    expect([...answers, await directory.isOurs(host)]).toEqual([true, true, true, true])
    expect(store.asked).toEqual([host])
  })

  it('says no to a retired host once it is told, and asks once', async () => {
    const { directory, store } = aDirectory(names(10))
    await directory.load()
    const host = 'email.customer-3.test'
    expect(await directory.isOurs(host)).toBe(true)
    store.ours.delete(host)
    directory.forget(host)
    expect(await directory.isOurs(host)).toBe(false)
    expect(await directory.isOurs(host)).toBe(false)
    expect(store.asked).toEqual([host, host])
    store.ours.add(host)
    directory.note(host)
    expect(await directory.isOurs(host)).toBe(true)
  })

  it('does not remember an answer that a change has overtaken', async () => {
    const { directory, store } = aDirectory(names(10))
    await directory.load()
    const host = 'email.customer-3.test'
    store.ours.delete(host)
    const answer = store.hold()
    const early = directory.isOurs(host)
    store.ours.add(host)
    directory.note(host)
    answer()
    expect(await early).toBe(false)
    expect(await directory.isOurs(host)).toBe(true)
  })

  it('keeps hosts that are noted while it loads', async () => {
    const { directory, store } = aDirectory(names(10))
    const goOn = store.hold()
    const loading = directory.load()
    await Promise.resolve()
    directory.note('email.new.test')
    goOn()
    await loading
    expect(directory.has('email.new.test')).toBe(true)
  })

  it('goes by the fingerprint when the store fails, and asks it once in a few seconds', async () => {
    const { directory, store, unreadable, clock } = aDirectory(names(10))
    await directory.load()
    store.fail(new Error('down'))
    expect(await directory.isOurs('email.customer-3.test')).toBe(true)
    expect(directory.isOurs('email.customer-3.test')).toBe(true)
    expect(await directory.isOurs('email.stranger.test')).toBe(false)
    expect(unreadable).toHaveLength(1)
    expect(store.asked).toHaveLength(1)
    store.fail(undefined)
    store.ours.delete('email.customer-3.test')
    await clock.advance(3000)
    expect(await directory.isOurs('email.customer-3.test')).toBe(false)
    expect(store.asked).toHaveLength(2)
  })

  it('asks a store that failed at once about a host that has changed', async () => {
    const { directory, store } = aDirectory(names(10))
    await directory.load()
    store.fail(new Error('down'))
    await directory.isOurs('email.customer-3.test')
    store.fail(undefined)
    store.ours.delete('email.customer-3.test')
    directory.forget('email.customer-3.test')
    expect(await directory.isOurs('email.customer-3.test')).toBe(false)
  })

  it('goes by the fingerprint when the store hangs, after a moment for the first visitor', async () => {
    const { directory, store, clock } = aDirectory(names(10))
    await directory.load()
    const host = 'email.customer-3.test'
    expect(await directory.isOurs(host)).toBe(true)
    // Everything was read again: what was known of single hosts may be old.
    await directory.load()
    const answer = store.hold()
    const waiting = directory.isOurs(host)
    await clock.advance(300)
    expect(await waiting).toBe(true)
    expect(directory.isOurs(host)).toBe(true)
    expect(directory.isOurs('email.stranger.test')).toBe(false)
    expect(store.asked).toHaveLength(2)
    // What it says in the end counts.
    answer()
    await clock.advance(1)
    expect(directory.isOurs(host)).toBe(true)
    expect([store.asked.length, clock.sleepers]).toEqual([2, 0])
  })
})
