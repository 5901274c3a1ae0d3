import { describe, expect, it } from 'vitest'
import { createOrderTable } from '../../../src/acme/order-table.ts'
import { days, type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { describeEachStore, openSqliteTestStore } from '../../support/stores.ts'

const now = new Date('2026-11-22T12:00:00Z')

function aRow(id: string, state: string, age: number, hostname = `${id}.test`) {
  const at = now.getTime() - age
  const nothing = { certificate_id: null, problem: null, authorizations: null }
  return {
    ...{ id, hostname, state, account_id: 'account', url: `https://ca.test/order/${id}` },
    ...{ sealed_key: Buffer.alloc(0), created_at: at, updated_at: at, ...nothing },
  }
}

function tableOf(store: Pick<Store, 'db' | 'transaction'>) {
  return createOrderTable({ store, now: () => now })
}

describeEachStore((openTestStore) => {
  it('knows the orders that are open, those it has, and those that ended long ago', async () => {
    const store = await openTestStore()
    const rows = [
      ...[aRow('a', 'intended', days(1)), aRow('b', 'placed', days(2))],
      ...[aRow('c', 'failed', days(3)), aRow('d', 'failed', days(100))],
      ...[aRow('e', 'issued', days(100)), aRow('f', 'issued', days(100), 'twice.test')],
      aRow('g', 'issued', days(99), 'twice.test'),
    ]
    await store.db.insertInto('acme_orders').values(rows).execute()
    const orders = tableOf(store)
    expect((await orders.open(10)).map(({ id }) => id)).toEqual(['b', 'a'])
    const url = 'https://ca.test/order/c'
    expect(await orders.known([url, 'https://ca.test/order/z'])).toEqual(new Set([url]))
    expect(await orders.prune(new Date(now.getTime() - days(90)), 10)).toBe(2)
    const left = await store.db.selectFrom('acme_orders').select('id').orderBy('id').execute()
    expect(left.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'e', 'g'])
  })
})

describe('on SQLite', () => {
  it('reads none of a million orders that it does not need', async () => {
    await using store = await openSqliteTestStore()
    const statements: { sql: string; parameters: readonly unknown[] }[] = []
    const db = store.db.withPlugin({
      transformQuery: ({ node, queryId: _ }) => {
        const { sql, parameters } = store.db.getExecutor().compileQuery(node, _)
        statements.push({ sql, parameters })
        return node
      },
      transformResult: async ({ result }) => result,
    })
    const orders = tableOf({ db, transaction: store.transaction })
    await orders.open(10)
    await orders.prune(now, 10)
    await orders.known(['https://ca.test/order/1', 'https://ca.test/order/2'])
    await orders.latest(aHost())
    await orders.hasIssued(aHost(), 'account')
    // What is pruned is chosen by a statement within another.
    expect(statements).toHaveLength(6)
    for (const { sql, parameters } of statements) {
      const plan = await store.db.executeQuery<{ readonly detail: string }>({
        ...{ sql: `explain query plan ${sql}`, parameters, queryId: { queryId: 'plan' } },
        query: { kind: 'RawNode', sqlFragments: [], parameters: [] },
      })
      const details = plan.rows.map(({ detail }) => detail)
      expect(details.filter((detail) => detail.startsWith('SCAN'))).toEqual([])
      expect(details.join()).toContain('SEARCH')
    }
  })
})

function aHost(): Hostname {
  const hostname = parseHostname('email.customer.test')
  if (!hostname) throw new Error('no name')
  return hostname
}
