import { describe, expect, it } from 'vitest'
import {
  type MigrationTarget,
  migrate,
  pendingMigrations,
  readMigrations,
  requireMigrated,
} from '../../../src/store/migrate.ts'

const MIGRATIONS = [1, 2, 3].map((version) => ({ version, name: `step-${version}`, sql: '' }))

describe('migrations', () => {
  it.each(['sqlite', 'postgres'] as const)('are numbered without gaps for %s', async (engine) => {
    const migrations = await readMigrations(engine)
    expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, n) => n + 1))
    expect(migrations[0]).toMatchObject({ version: 1, name: 'foundation' })
  })

  it('are found wherever the program was started', async () => {
    const before = process.cwd()
    process.chdir('/')
    try {
      expect((await readMigrations('sqlite')).length).toBeGreaterThan(0)
    } finally {
      process.chdir(before)
    }
  })

  it.each([
    [0, [1, 2, 3]],
    [2, [3]],
    [3, []],
  ])('from version %i on are %j', (version, expected) => {
    const pending = pendingMigrations(version, MIGRATIONS)
    expect(pending.map((migration) => migration.version)).toEqual(expected)
  })

  it('refuse a database of a newer program', () => {
    expect(() => pendingMigrations(4, MIGRATIONS)).toThrow(
      expect.objectContaining({
        code: 'store/newer-schema',
        message: 'The database has schema 4; this Postern knows schemas up to 3.',
      }),
    )
  })

  it('must all be done before a worker may work', () => {
    expect(() => requireMigrated(2, MIGRATIONS)).toThrow(
      expect.objectContaining({ code: 'store/not-migrated' }),
    )
    expect(() => requireMigrated(3, MIGRATIONS)).not.toThrow()
  })

  it('are not applied again by a node that had to wait for another', async () => {
    const target = createTarget({ version: 1 })
    await migrate({ ...target, exclusively: waitWhileAnotherMigrates(target, 3) }, MIGRATIONS)
    expect(target.applied).toEqual([])
  })

  it('take no lock when there is nothing to do', async () => {
    const target = createTarget({ version: 3 })
    const exclusively = (): Promise<void> => Promise.reject(new Error('locked'))
    await migrate({ ...target, exclusively }, MIGRATIONS)
  })

  it('stop at the first that fails', async () => {
    const target = createTarget({ version: 0 })
    const failing = migrate(
      {
        ...target,
        apply: async (migration) => {
          if (migration.version === 2) throw new Error('syntax')
          await target.apply(migration)
        },
      },
      MIGRATIONS,
    )
    await expect(failing).rejects.toThrow('syntax')
    expect(target.applied).toEqual([1])
  })
})

function createTarget({ version }: { readonly version: number }) {
  const state = { version }
  const applied: number[] = []
  return {
    state,
    applied,
    exclusively: (work) => work(),
    version: async () => state.version,
    apply: async (migration) => {
      applied.push(migration.version)
      state.version = migration.version
    },
  } satisfies MigrationTarget & { readonly applied: number[]; readonly state: object }
}

function waitWhileAnotherMigrates(
  { state }: { readonly state: { version: number } },
  version: number,
): MigrationTarget['exclusively'] {
  return async (work) => {
    state.version = version
    await work()
  }
}
