import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { createRecentVisits } from '../../../src/hosts/index.ts'
import { aHostRow } from '../../support/store-rows.ts'
import { describeEachEngine } from '../../support/stores.ts'

describeEachEngine(({ engine, openTestStore }) => {
  it('names the hosts that were visited last, and only those the edge answers for', async () => {
    const store = await openTestStore()
    const rows = Array.from({ length: 40 }, (_, n) => ({
      ...aHostRow(`h${n}.test`, n === 37 ? { state: 'retired' } : {}),
      visited_at: n < 30 ? null : n,
      claim_token: n === 38 ? 'unproven' : null,
    }))
    await store.db.insertInto('hosts').values(rows).execute()
    const visits = createRecentVisits({ store })
    expect(await visits.latest(3)).toEqual(['h39.test', 'h36.test', 'h35.test'])
    expect(await visits.latest(100)).toHaveLength(8)
  })

  it.skipIf(engine === 'postgres')(
    'reads them in order, however many hosts there are',
    async () => {
      const store = await openTestStore()
      const query = store.db
        .selectFrom('hosts')
        .select('hostname')
        .where('visited_at', 'is not', null)
        .where('state', '<>', 'retired')
        .where('claim_token', 'is', null)
        .orderBy('visited_at', 'desc')
        .limit(5)
      const { sql: text } = query.compile()
      const steps = await sql
        .raw(`explain query plan ${text.replaceAll('?', '1')}`)
        .execute(store.db)
      const plan = JSON.stringify(steps.rows)
      expect(plan).toContain('hosts_by_visit')
      expect(plan).not.toContain('TEMP B-TREE')
    },
  )
})
