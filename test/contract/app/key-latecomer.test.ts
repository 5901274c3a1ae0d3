import { afterEach, beforeEach, expect, test } from 'vitest'
import { createVault } from '../../../src/vault/index.ts'
import {
  aKeyFolder,
  certificateRow,
  idsIn,
  rotationEnd,
  sealSecrets,
  secretsByKey,
  startKeyWorld,
  writeKeys,
} from '../../support/key-world.ts'
import { describeEachEngine } from '../../support/stores.ts'
import { aKeyRing } from '../../support/vaults.ts'

let keyFolder: Awaited<ReturnType<typeof aKeyFolder>>
beforeEach(async () => {
  keyFolder = await aKeyFolder()
})
afterEach(() => keyFolder[Symbol.asyncDispose]())

const [OLD = '', NEW = ''] = idsIn(aKeyRing(1, 2))
const rotate = { retireOld: false }

describeEachEngine(({ newStoreUrl }) => {
  test('a secret that was written under the old key after all is noticed by the next start', async () => {
    const storeUrl = await newStoreUrl()
    const start = () => startKeyWorld({ storeUrl, key: `file:${keyFolder.file}` })
    {
      await using world = await start()
      await sealSecrets(world, 5)
      await writeKeys(keyFolder.file, 2, 1)
      await world.keys.rotation.rotate(rotate)
      await rotationEnd(world)
      // By a node that stood still since before: it was taken for dead.
      const late = certificateRow(createVault(aKeyRing(1)), 'late')
      await world.store.db.insertInto('certificates').values(late).execute()
    }
    await writeKeys(keyFolder.file, 2)
    await expect(start()).rejects.toMatchObject({
      code: 'vault/missing-key',
      message: expect.stringContaining(OLD),
    })
    await writeKeys(keyFolder.file, 2, 1)
    {
      await using world = await start()
      expect((await secretsByKey(world))[OLD]).toBe(1)
      await world.keys.rotation.rotate(rotate)
      await rotationEnd(world)
      expect((await secretsByKey(world))[OLD]).toBe(0)
    }
    await writeKeys(keyFolder.file, 2)
    await using world = await start()
    expect(Object.keys(await secretsByKey(world))).toEqual([NEW])
  })
})
