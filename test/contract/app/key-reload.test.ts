import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sealingWith } from '../../../src/vault/index.ts'
import { vaultOptions } from '../../../src/vault/options.ts'
import {
  aKeyFolder,
  idsIn,
  type KeyWorld,
  type KeyWorldOptions,
  openSecrets,
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
const _retire = { retireOld: true }
const options = (key: string) => vaultOptions.parse({ key })

describeEachEngine(({ newStoreUrl }) => {
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

  test('a key that is read again by a signal is used by everything at once, and first by the edge', async () => {
    const inUseAtTheEdge: string[] = []
    const world = await start({
      useKeyRing: async () => {
        inUseAtTheEdge.push(world.vault.currentKeyId)
      },
    })
    expect(await world.keys.keeper.reload()).toBe('unchanged')
    await sealSecrets(world, 5)
    await writeKeys(keyFolder.file, 2, 1)
    expect(await world.keys.keeper.reload()).toBe('changed')
    expect(inUseAtTheEdge).toEqual([FIRST])
    expect(world.edgeRings.map(idsIn)).toEqual([[SECOND, FIRST]])
    expect(world.vault.keyIds).toEqual([SECOND, FIRST])
    expect(await openSecrets(world)).toBe(14)
    const checks = await world.store.db.selectFrom('key_checks').select('key_id').execute()
    expect(checks.map(({ key_id }) => key_id).sort()).toEqual([FIRST, SECOND].sort())
  })

  test.each<[string, (file: string) => string, readonly number[], string]>([
    ['another key alone', (file) => `file:${file}`, [9], 'vault/wrong-key'],
    ['a file without keys', (file) => `file:${file}`, [], 'vault/bad-key'],
    ['a file that is not there', (file) => `file:${file}.gone`, [1], 'vault/missing-key'],
    ['a variable that is not there', () => 'env:NOT_THERE', [1], 'vault/missing-key'],
    ['a command that fails', () => 'command:exit 1', [1], 'vault/key-command-failed'],
    ['a folder', (file) => `file:${file}/..`, [1], 'vault/missing-key'],
  ])('%s is refused, and what was in use stays in use', async (_, key, fill, code) => {
    const world = await start()
    await sealSecrets(world, 2)
    await writeKeys(keyFolder.file, ...fill)
    const reloading = world.keys.keeper.reload(options(key(keyFolder.file)))
    await expect(reloading).rejects.toMatchObject({ code })
    expect(world.vault.keyIds).toEqual([FIRST])
    expect(world.edgeRings).toEqual([])
    expect(await openSecrets(world)).toBe(8)
  })

  test('a key given twice counts once, and one that only moved is known again', async () => {
    const world = await start()
    await writeKeys(keyFolder.file, 1, 1, 1)
    expect(await world.keys.keeper.reload()).toBe('unchanged')
    const both = `file:${keyFolder.file},file:${keyFolder.file}`
    expect(await world.keys.keeper.reload(options(both))).toBe('unchanged')
    expect(world.vault.keyIds).toEqual([FIRST])
  })

  test('a key from the environment outlives its variable', async () => {
    const variables = { KEK: Buffer.alloc(32, 1).toString('hex') }
    const world = await start({ key: 'env:KEK', variables })
    expect(variables).toEqual({})
    expect(await world.keys.keeper.reload()).toBe('unchanged')
    await writeKeys(keyFolder.file, 2)
    const key = `file:${keyFolder.file}, env:KEK`
    expect(await world.keys.keeper.reload(options(key))).toBe('changed')
    expect(world.vault.keyIds).toEqual([SECOND, FIRST])
  })

  test('an edge worker that does not take the keys keeps them from being used', async () => {
    let isDeaf = true
    const world = await start({
      useKeyRing: () => (isDeaf ? Promise.reject(new Error('deaf')) : Promise.resolve()),
    })
    await writeKeys(keyFolder.file, 2, 1)
    await expect(world.keys.keeper.reload()).rejects.toMatchObject({ code: 'keys/worker-not-told' })
    expect(world.vault.keyIds).toEqual([FIRST])
    isDeaf = false
    expect(await world.keys.keeper.reload()).toBe('changed')
    expect(world.vault.currentKeyId).toBe(SECOND)
  })

  test('a key under which secrets rest cannot be dropped, even if no start asks for it', async () => {
    const world = await startWithTwoKeys(5)
    await world.keys.keeper.reload()
    await world.store.db.deleteFrom('key_checks').where('key_id', '=', FIRST).execute()
    await writeKeys(keyFolder.file, 2)
    await expect(world.keys.keeper.reload()).rejects.toMatchObject({ code: 'vault/missing-key' })
    expect(await openSecrets(world)).toBe(14)
  })
})

describe('several nodes', () => {
  describeEachEngine(({ engine, newStoreUrl }) => {
    test.runIf(engine === 'postgres')(
      'a key seals once all of them hold it, and not before',
      async () => {
        const storeUrl = await newStoreUrl()
        const otherFolder = worlds.use(await aKeyFolder())
        const here = worlds.use(
          await startKeyWorld({ storeUrl, key: `file:${keyFolder.file}`, nodeName: 'here' }),
        )
        const there = worlds.use(
          await startKeyWorld({ storeUrl, key: `file:${otherFolder.file}`, nodeName: 'there' }),
        )
        await sealSecrets(here, 10)

        await writeKeys(keyFolder.file, 2, 1)
        await here.keys.keeper.reload()
        expect(here.vault.keyIds).toEqual([FIRST, SECOND])
        expect(await here.keys.rotation.rotate(rotate)).toMatchObject({
          kind: 'refused',
          refusal: {
            code: 'keys/node-lacks-key',
            sentence: expect.stringMatching(/^Node there does not hold key/),
          },
        })
        expect(await here.keys.rotation.status()).toMatchObject({
          keys: [{ use: 'seals' }, { use: 'waits' }],
        })

        await writeKeys(otherFolder.file, 2, 1)
        await there.keys.keeper.reload()
        expect(there.vault.keyIds).toEqual([SECOND, FIRST])
        expect(await here.keys.rotation.rotate(rotate)).toEqual({ kind: 'begun' })
        await rotationEnd(here)
        expect(await secretsByKey(there)).toEqual({ [SECOND]: 24, [FIRST]: 0 })
        for (const world of [here, there]) expect(await openSecrets(world)).toBe(24)
      },
    )

    test.runIf(engine === 'postgres')(
      'one that starts with a new first key seals with the old one until the others have it',
      async () => {
        const storeUrl = await newStoreUrl()
        const otherFolder = worlds.use(await aKeyFolder())
        worlds.use(
          await startKeyWorld({ storeUrl, key: `file:${otherFolder.file}`, nodeName: 'old' }),
        )
        await writeKeys(keyFolder.file, 2, 1)
        const young = worlds.use(
          await startKeyWorld({ storeUrl, key: `file:${keyFolder.file}`, nodeName: 'young' }),
        )
        expect(young.vault.currentKeyId).toBe(FIRST)
      },
    )
  })
})

test('a ring that seals with another of its keys holds the same ones', () => {
  expect(idsIn(sealingWith(aKeyRing(1, 2, 3), THIRD))).toEqual([THIRD, FIRST, SECOND])
})
