import { execFile } from 'node:child_process'
import { lstat, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createRotationTable } from '../../../src/app/key-rotation/rotation-table.ts'
import { vaultOptions } from '../../../src/vault/options.ts'
import {
  aKeyFolder,
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
import { eventually } from '../../support/postern.ts'
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

const [FIRST = '', SECOND = '', _THIRD = ''] = idsIn(aKeyRing(1, 2, 3))
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
  test('without a place to write a key to, it says what to do instead', async () => {
    const variables = { KEK: Buffer.alloc(32, 1).toString('hex') }
    const key = engine === 'sqlite' ? 'env:KEK' : `file:${keyFolder.file}`
    const world = await start({ key, variables })
    await sealSecrets(world, 1)
    expect(await world.keys.rotation.rotate(rotate)).toMatchObject({
      kind: 'refused',
      refusal: { code: 'keys/no-new-key', fix: expect.stringMatching(/openssl rand -base64 32/) },
    })
    expect(world.vault.keyIds).toEqual([FIRST])
    expect((await world.keys.rotation.status()).rotation).toBeUndefined()
  })

  describe.runIf(engine === 'sqlite')('a new key', () => {
    test('is made in the file, before the old one, and everything moves to it', async () => {
      const world = await start()
      await sealSecrets(world, 20)
      expect(await world.keys.rotation.rotate(rotate)).toEqual({ kind: 'begun' })
      const { rotation } = await rotationEnd(world)
      const lines = await readKeys(keyFolder.file)
      expect(lines).toHaveLength(2)
      expect(lines[1]).toBe(Buffer.alloc(32, 1).toString('base64'))
      expect((await stat(keyFolder.file)).mode & 0o777).toBe(0o600)
      expect(await readdir(keyFolder.folder)).toEqual(['master.key'])
      expect(world.vault.keyIds).toEqual([rotation?.toKeyId, FIRST])
      expect(await secretsByKey(world)).toEqual({ [rotation?.toKeyId ?? '']: 44, [FIRST]: 0 })
    })

    test('is one, however often it is asked for at once', async () => {
      const world = await start()
      await sealSecrets(world, 20)
      await Promise.all(Array.from({ length: 5 }, () => world.keys.rotation.rotate(rotate)))
      await rotationEnd(world)
      expect(await readKeys(keyFolder.file)).toHaveLength(2)
    })

    test('takes the place of the old one if that is retired at once', async () => {
      const world = await start()
      await sealSecrets(world, 20)
      await world.keys.rotation.rotate(rotate)
      await world.keys.rotation.rotate(retire)
      const { rotation } = await rotationEnd(world)
      expect(await readKeys(keyFolder.file)).toHaveLength(1)
      expect(world.vault.keyIds).toEqual([rotation?.toKeyId])
      expect(await openSecrets(world)).toBe(44)
    })

    test('killed before it is in the file, nothing has happened', async () => {
      const storeUrl = await newStoreUrl()
      const dead = await start({ storeUrl })
      await sealSecrets(dead, 3)
      await createRotationTable(dead.store, 'dead').begin({
        ...{ id: 'x', toKeyId: SECOND, total: 9, retireOld: false },
      })
      await dead[Symbol.asyncDispose]()
      const world = await start({ storeUrl })
      const dropped = await eventually(
        () => world.keys.rotation.status(),
        ({ rotation }) => rotation === undefined,
      )
      expect(dropped.keys).toMatchObject([{ keyId: FIRST, use: 'seals', secrets: 10 }])
      await world.keys.rotation.rotate(rotate)
      expect((await rotationEnd(world)).rotation?.toKeyId).not.toBe(SECOND)
      expect(await readKeys(keyFolder.file)).toHaveLength(2)
    })

    test('that finds no room on the disk changes nothing, and is made when there is some', async ({
      skip,
    }) => {
      await using disk = await aTinyDisk()
      if (!disk) return skip('this user may not mount a disk')
      const file = join(disk.folder, 'master.key')
      await writeKeys(file, 1)
      const world = await start({ key: `file:${file}` })
      await sealSecrets(world, 3)
      await writeFile(join(disk.folder, 'filler'), Buffer.alloc(DISK_BYTES)).catch(() => undefined)

      const rotating = world.keys.rotation.rotate(rotate)
      await expect(rotating).rejects.toMatchObject({ code: 'vault/key-file-not-written' })
      expect(await readKeys(file)).toEqual([Buffer.alloc(32, 1).toString('base64')])
      expect((await readdir(disk.folder)).sort()).toEqual(['filler', 'master.key'])
      expect((await world.keys.rotation.status()).rotation).toBeUndefined()
      expect(world.vault.keyIds).toEqual([FIRST])

      await rm(join(disk.folder, 'filler'))
      expect(await world.keys.rotation.rotate(rotate)).toEqual({ kind: 'begun' })
      await rotationEnd(world)
      expect(await readKeys(file)).toHaveLength(2)
      expect(await openSecrets(world)).toBe(10)
    })

    test('cleans up the draft of one who was killed while writing', async () => {
      const world = await start()
      await sealSecrets(world, 1)
      await writeFile(`${keyFolder.file}.0123456789ab.new`, 'half of a k', { mode: 0o600 })
      await world.keys.rotation.rotate(rotate)
      await rotationEnd(world)
      expect(await readdir(keyFolder.folder)).toEqual(['master.key'])
    })

    test('goes where a link points to, and the link stays', async () => {
      const link = join(keyFolder.folder, 'link.key')
      await symlink(keyFolder.file, link)
      const world = await start({ key: `file:${link}` })
      await world.keys.rotation.rotate(rotate)
      await rotationEnd(world)
      expect((await lstat(link)).isSymbolicLink()).toBe(true)
      expect(await readKeys(keyFolder.file)).toHaveLength(2)
    })

    test('killed between file and ring, the next start has it and goes on by itself', async () => {
      const storeUrl = await newStoreUrl()
      const dead = await start({ storeUrl })
      await sealSecrets(dead, 30)
      await dead[Symbol.asyncDispose]()
      await writeKeys(keyFolder.file, 2, 1)
      const between = await start({ storeUrl, key: `file:${keyFolder.file}` })
      await createRotationTable(between.store, 'dead').begin({
        ...{ id: 'x', toKeyId: SECOND, total: 64, retireOld: false },
      })
      await between[Symbol.asyncDispose]()
      const world = await start({ storeUrl })
      const { rotation } = await rotationEnd(world)
      expect(rotation).toMatchObject({ id: 'x', toKeyId: SECOND, done: 64 })
      expect(await openSecrets(world)).toBe(64)
    })
  })
})

const DISK_BYTES = 16 * 1024

/** A file system with no room to speak of; `undefined` where this user may not mount one. */
async function aTinyDisk(): Promise<({ readonly folder: string } & AsyncDisposable) | undefined> {
  const run = promisify(execFile)
  const folder = await mkdtemp(join(tmpdir(), 'postern-disk-'))
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder])
    .then(() => true)
    .catch(() => false)
  if (!mounted) {
    await rm(folder, { recursive: true })
    return undefined
  }
  return {
    folder,
    [Symbol.asyncDispose]: async () => {
      await run('umount', [folder])
      await rm(folder, { recursive: true })
    },
  }
}
