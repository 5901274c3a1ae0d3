import {
  type CompiledQuery,
  type DatabaseConnection,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely'
import { describe, expect, it } from 'vitest'
import { createHealth } from '../../../src/app/health.ts'
import type { Store } from '../../../src/store/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

/** A database that answers as it is told to. */
function aDatabase(answer: () => Promise<void>) {
  const asked: string[] = []
  class Driver extends DummyDriver {
    override async acquireConnection(): Promise<DatabaseConnection> {
      return {
        executeQuery: async <Row>({ sql }: CompiledQuery) => {
          asked.push(sql)
          await answer()
          const rows: Row[] = []
          return { rows }
        },
        streamQuery: () => expect.unreachable(),
      }
    }
  }
  const db: Store['db'] = new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new Driver(),
      createIntrospector: (of) => new PostgresIntrospector(of),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
  return { db, asked }
}

const NOTHING = { count: 0, oldestAt: undefined }

function aHealth({
  answer = async () => undefined,
  serving = 2,
  halted = new AbortController().signal,
}: {
  readonly answer?: () => Promise<void>
  readonly serving?: number
  readonly halted?: AbortSignal
} = {}) {
  const clock = createFakeClock()
  const { db, asked } = aDatabase(answer)
  const fleet = {
    count: () => ({ serving, wanted: 2 }),
    troubles: () => [],
    remarks: () => [],
    shortages: () => [],
  }
  const health = createHealth({
    ...{ store: { db, halted }, fleet, clock, issuer: { clockSkew: () => undefined } },
    hits: { owed: () => NOTHING, unstored: () => NOTHING, refused: async () => [] },
  })
  return { health, clock, asked }
}

const refuses = () => Promise.reject(new Error('connect ECONNREFUSED'))
const hangs = () => new Promise<void>(() => undefined)

describe('readiness', () => {
  it('is there, with nothing to say, while all is well', async () => {
    const { health, clock } = aHealth()
    expect(await health.readiness()).toEqual({ ready: true, reasons: [] })
    expect(clock.sleepers).toBe(0)
  })

  it('stays while the database is away, which is told: edges serve, and there is no other node', async () => {
    const { health } = aHealth({ answer: refuses })
    expect(await health.readiness()).toMatchObject({
      ready: true,
      reasons: [
        { code: 'store/unreachable', sentence: expect.stringContaining('connect ECONNREFUSED') },
      ],
    })
  })

  it('answers in time while the database hangs, and asks it one question only', async () => {
    const { health, clock, asked } = aHealth({ answer: hangs })
    const answers = [health.readiness(), health.readiness()]
    await clock.advance(1000)
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatchObject({ ready: true, reasons: [{ code: 'store/unreachable' }] })
    }
    expect(asked).toHaveLength(1)
  })

  it('is not there without an edge that serves', async () => {
    const { health } = aHealth({ answer: refuses, serving: 0 })
    const { ready, reasons } = await health.readiness()
    expect(ready).toBe(false)
    expect(reasons.map(({ code }) => code)).toEqual(['edge/no-worker', 'store/unreachable'])
  })

  it('is not there once the store has failed to write durably', async () => {
    const { health } = aHealth({ halted: AbortSignal.abort() })
    expect(await health.readiness()).toMatchObject({
      ready: false,
      reasons: [{ code: 'store/halted' }],
    })
  })
})
