import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRotationTable } from '../../../src/app/key-rotation/rotation-table.ts'
import { systemClock } from '../../../src/kernel/index.ts'
import { createVault } from '../../../src/vault/index.ts'
import { vaultOptions } from '../../../src/vault/options.ts'
import {
  aKeyFolder,
  certificateRow,
  idsIn,
  type KeyWorld,
  type KeyWorldOptions,
  openSecrets,
  readKeys,
  rotationEnd,
  sealSecrets,
  secretsByKey,
  startKeyWorld,
  writeKeys,
} from '../../support/key-world.ts'
import { describeEachEngine } from '../../support/stores.ts'
import { aKeyRing } from '../../support/vaults.ts'

let keyFolder: Awaited<ReturnType<typeof aKeyFolder>>
let worlds: AsyncDisposableStack
beforeEach(async () => {
  keyFolder = await aKeyFolder()
  worlds = new AsyncDisposableStack()
})
afterEach(async () => {
  await worlds.disposeAsync()
  await keyFolder[Symbol.asyncDispose]()
})

const [FIRST = '', SECOND = '', THIRD = ''] = idsIn(aKeyRing(1, 2, 3))
const rotate = { retireOld: false }
const retire = { retireOld: true }
const _options = (key: string) => vaultOptions.parse({ key })

describeEachEngine(({ engine, newStoreUrl }) => {
  const start = async (more: Partial<KeyWorldOptions> = {}): Promise<KeyWorld> =>
    worlds.use(
      await startKeyWorld({
        storeUrl: more.storeUrl ?? (await newStoreUrl()),
        key: `file:${keyFolder.file}`,
        ...more,
      }),
    )
  /** A world whose secrets rest under the first key, and whose second key is first in the file. */
  const startWithTwoKeys = async (
    count: number,
    more: Partial<KeyWorldOptions> = {},
  ): Promise<KeyWorld> => {
    const world = await start(more)
    await sealSecrets(world, count)
    await writeKeys(keyFolder.file, 2, 1)
    return world
  }

  test('moves every kind of secret, body untouched, and each opens where it is used', async () => {
    const world = await startWithTwoKeys(450)
    const certificates = () =>
      world.store.db.selectFrom('certificates').selectAll().orderBy('id').execute()
    const before = await certificates()
    expect(await openSecrets(world)).toBe(904)
    expect(await world.keys.rotation.rotate(rotate)).toEqual({ kind: 'begun' })
    const { rotation } = await rotationEnd(world)
    expect(rotation).toMatchObject({ toKeyId: SECOND, total: 904, done: 904, unreadable: 0 })
    expect(await secretsByKey(world)).toEqual({ [SECOND]: 904, [FIRST]: 0 })
    expect(await openSecrets(world)).toBe(904)
    const after = await certificates()
    for (const [index, row] of before.entries()) {
      expect(after[index]?.sealed_key.subarray(69).equals(row.sealed_key.subarray(69))).toBe(true)
    }
  })

  test('is told how far it is, and that nobody asks for the old key in the end', async () => {
    const world = await startWithTwoKeys(10)
    expect((await world.keys.rotation.status()).rotation).toBeUndefined()
    await world.keys.rotation.rotate(rotate)
    const { keys } = await rotationEnd(world)
    expect(keys.map(({ keyId, use }) => [keyId, use])).toEqual([
      [SECOND, 'seals'],
      [FIRST, 'retired'],
    ])
    expect(await world.keys.rotation.rotate(rotate)).toEqual({ kind: 'nothing-to-do' })
  })

  test('catches what is sealed with the old key while it runs, behind its back', async () => {
    let batches = 0
    const old = createVault(aKeyRing(1))
    const world = await startWithTwoKeys(450, {
      wrapStore: (store) => ({
        ...store,
        transaction: async (work) => {
          batches += 1
          // Sorted before everything that was moved already.
          const row = certificateRow(old, `a-${batches}`)
          if (batches < 6) await store.db.insertInto('certificates').values(row).execute()
          return store.transaction(work)
        },
      }),
    })
    batches = 0
    await world.keys.rotation.rotate(rotate)
    const { rotation } = await rotationEnd(world)
    expect(rotation?.unreadable).toBe(0)
    expect((await secretsByKey(world))[FIRST]).toBe(0)
    expect(await openSecrets(world)).toBeGreaterThan(904)
  })

  test('never overwrites what somebody else wrote meanwhile', async () => {
    const fresh = createVault(aKeyRing(2))
    let isChanged = false
    const world = await startWithTwoKeys(20, {
      wrapStore: (store) => ({
        ...store,
        transaction: async (work) => {
          if (
            !isChanged &&
            (await store.db.selectFrom('key_rotations').select('id').execute())[0]
          ) {
            isChanged = true
            const { sealed_key } = certificateRow(fresh, 'host-3')
            await store.db
              .updateTable('certificates')
              .set({ sealed_key })
              .where('id', '=', 'host-3')
              .execute()
            const nothing = { sealed_key: Buffer.alloc(0) }
            await store.db
              .updateTable('certificates')
              .set(nothing)
              .where('id', '=', 'host-4')
              .execute()
            written = sealed_key
          }
          return store.transaction(work)
        },
      }),
    })
    let written: Buffer = Buffer.alloc(0)
    await world.keys.rotation.rotate(rotate)
    await rotationEnd(world)
    const rows = await world.store.db
      .selectFrom('certificates')
      .select(['id', 'sealed_key'])
      .where('id', 'in', ['host-3', 'host-4'])
      .orderBy('id')
      .execute()
    expect(rows[0]?.sealed_key.equals(written)).toBe(true)
    expect(rows[1]?.sealed_key).toHaveLength(0)
  })

  test('leaves what does not open as it is, says which, and moves the rest', async () => {
    const world = await startWithTwoKeys(30)
    const { db } = world.store
    const damaged = Buffer.alloc(200, 1)
    Buffer.from(FIRST, 'hex').copy(damaged, 1)
    await db
      .updateTable('certificates')
      .set({ sealed_key: damaged })
      .where('id', '=', 'host-7')
      .execute()
    await db
      .updateTable('webhooks')
      .set({ sealed_key: Buffer.alloc(40, 9) })
      .execute()
    await world.keys.rotation.rotate(rotate)
    const { rotation, keys } = await rotationEnd(world)
    expect(rotation).toMatchObject({ unreadable: 2, done: 62 })
    expect(keys.find(({ keyId }) => keyId === FIRST)).toMatchObject({ use: 'opens', secrets: 1 })
    expect(keys.find(({ use }) => use === 'missing')).toMatchObject({ secrets: 1 })
    const lines = world.logLines.filter((line) => line.includes('secret-unreadable'))
    expect(lines.filter((line) => line.includes('host-7')).length).toBeGreaterThan(0)
    const row = await db
      .selectFrom('certificates')
      .select('sealed_key')
      .where('id', '=', 'host-7')
      .executeTakeFirst()
    expect(row?.sealed_key.equals(damaged)).toBe(true)
  })

  test('goes on where it was after a kill in the middle', async () => {
    const storeUrl = await newStoreUrl()
    let batches = 0
    const { promise: afterDeath, reject: bury } = Promise.withResolvers<never>()
    const dying = await startWithTwoKeys(900, {
      storeUrl,
      wrapStore: (store) => ({
        ...store,
        transaction: (work) => {
          batches += 1
          // From here on it writes nothing any more, and takes no leave.
          return batches > 4 ? afterDeath : store.transaction(work)
        },
      }),
    })
    batches = 0
    await dying.keys.rotation.rotate(rotate)
    while (batches <= 4) await systemClock.sleep(10)
    const halfway = (await dying.keys.rotation.status()).rotation
    expect(halfway?.left).toBeGreaterThan(0)
    expect(halfway?.left).toBeLessThan(1804)
    if (engine === 'sqlite') await dying.store[Symbol.asyncDispose]()
    // The dead one's lease is over.
    else await dying.store.db.updateTable('key_rotations').set({ lease_until: 1 }).execute()

    const next = await start({ storeUrl })
    worlds.defer(() => bury(new Error('dead')))
    const { rotation } = await rotationEnd(next)
    expect(rotation).toMatchObject({ total: 1804, done: 1804, unreadable: 0 })
    expect(await openSecrets(next)).toBe(1804)
  })

  test('is one at a time, over all nodes', async () => {
    const world = await startWithTwoKeys(300)
    const all = await Promise.all(
      Array.from({ length: 5 }, () => world.keys.rotation.rotate(rotate)),
    )
    expect(all.map(({ kind }) => kind).sort()).toEqual(['begun', ...Array(4).fill('under-way')])
    await rotationEnd(world)
    expect(await world.store.db.selectFrom('key_rotations').selectAll().execute()).toHaveLength(1)

    const [one, other] = ['one', 'other'].map((name) => createRotationTable(world.store, name))
    const draft = { id: 'x', toKeyId: THIRD, total: 1, retireOld: false }
    expect(await one?.begin(draft)).toBe(true)
    expect(await other?.begin({ ...draft, id: 'y' })).toBe(false)
    expect((await one?.claim())?.id).toBe('x')
    if (engine === 'postgres') expect(await other?.claim()).toBeUndefined()
  })

  test('old keys that nobody needs are retired: no start asks for them any more', async () => {
    const storeUrl = await newStoreUrl()
    const world = await startWithTwoKeys(20, { storeUrl })
    await world.keys.rotation.rotate(retire)
    const { keys } = await rotationEnd(world)
    const checks = await world.store.db.selectFrom('key_checks').select('key_id').execute()
    expect(checks).toEqual([{ key_id: SECOND }])
    if (engine === 'sqlite') {
      expect(keys).toMatchObject([{ keyId: SECOND, use: 'seals' }])
      expect(await readKeys(keyFolder.file)).toEqual([Buffer.alloc(32, 2).toString('base64')])
    } else {
      expect(keys).toMatchObject([{ keyId: SECOND }, { keyId: FIRST, use: 'retired' }])
      await writeKeys(keyFolder.file, 2)
    }
    await world[Symbol.asyncDispose]()
    const next = await start({ storeUrl })
    expect(await openSecrets(next)).toBe(44)
    expect(next.vault.keyIds).toEqual([SECOND])
  })

  test('lets the old key be taken out by hand, once it has ended', async () => {
    const storeUrl = await newStoreUrl()
    const world = await startWithTwoKeys(5, { storeUrl })
    await world.keys.rotation.rotate(rotate)
    await rotationEnd(world)
    await writeKeys(keyFolder.file, 2)
    expect(await world.keys.keeper.reload()).toBe('changed')
    expect(world.vault.keyIds).toEqual([SECOND])
    expect(await openSecrets(world)).toBe(14)
    await world[Symbol.asyncDispose]()
    expect(await openSecrets(await start({ storeUrl }))).toBe(14)
  })

  test('goes on to the key that is first by now when it is asked again', async () => {
    const world = await startWithTwoKeys(20)
    await world.keys.rotation.rotate(rotate)
    await rotationEnd(world)
    const table = createRotationTable(world.store, 'elsewhere')
    await table.begin({ id: 'stuck', toKeyId: FIRST, total: 0, retireOld: false })
    const { rotation } = await world.keys.rotation.status()
    expect(rotation?.waitsFor).toMatch(/is not the first of vault\.key/)
    await writeKeys(keyFolder.file, 3, 2, 1)
    expect(await world.keys.rotation.rotate(rotate)).toEqual({ kind: 'begun' })
    expect((await rotationEnd(world)).rotation).toMatchObject({ id: 'stuck', toKeyId: THIRD })
    expect(await secretsByKey(world)).toEqual({ [THIRD]: 44, [SECOND]: 0, [FIRST]: 0 })
  })
})
