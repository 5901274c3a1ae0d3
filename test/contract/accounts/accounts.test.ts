import { expect, it } from 'vitest'
import { createAccounts, DEFAULT_ACCOUNT } from '../../../src/accounts/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { describeEachStore } from '../../support/stores.ts'

describeEachStore((openTestStore) => {
  it("has the operator's own from the start", async () => {
    const accounts = createAccounts({ store: await openTestStore(), clock: createFakeClock() })
    expect(await accounts.find(DEFAULT_ACCOUNT)).toMatchObject({ id: 'default', name: 'default' })
    expect(await accounts.find('acme-corp')).toBeUndefined()
  })

  it('makes an account once, whoever asks', async () => {
    const clock = createFakeClock()
    const accounts = createAccounts({ store: await openTestStore(), clock })
    const made = await Promise.all(Array.from({ length: 5 }, () => accounts.ensure('acme-corp')))
    await clock.advance(1000)
    const again = await accounts.ensure('acme-corp')
    for (const account of made) expect(account).toEqual(again)
    expect(again.createdAt).toEqual(new Date('2026-11-22T12:00:00Z'))
    expect(await accounts.find('acme-corp')).toEqual(again)
  })

  it('refuses what no account can be called', async () => {
    const accounts = createAccounts({ store: await openTestStore(), clock: createFakeClock() })
    for (const id of ['', 'Acme', '-acme', 'acme-', 'a b', 'a/b', '../etc', 'ä', 'x'.repeat(65)]) {
      await expect(accounts.ensure(id)).rejects.toMatchObject({ code: 'accounts/bad-id' })
    }
    for (const id of ['a', '0', 'acme.corp', 'x'.repeat(64)]) await accounts.ensure(id)
  })

  it('is listed by id, page by page', async () => {
    const accounts = createAccounts({ store: await openTestStore(), clock: createFakeClock() })
    for (const id of ['d', 'b', 'e', 'c', 'a']) await accounts.ensure(id)
    const first = await accounts.page({ limit: 4 })
    expect(first.items.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
    const second = await accounts.page({ limit: 4, cursor: first.nextCursor })
    expect(second.items.map(({ id }) => id)).toEqual(['default', 'e'])
    expect(second.nextCursor).toBeUndefined()
  })
})
