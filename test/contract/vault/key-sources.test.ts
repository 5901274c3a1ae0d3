import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KeyRing, openKeyRing } from '../../../src/vault/index.ts'
import { vaultOptions } from '../../../src/vault/options.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-keys-'))
})
afterAll(() => rm(folder, { recursive: true }))

interface Wishes {
  readonly mayCreate?: boolean
  readonly variables?: Record<string, string>
  readonly signal?: AbortSignal
}

const created: string[] = []

function open(
  key: string,
  { mayCreate = false, variables = {}, signal }: Wishes = {},
): Promise<KeyRing> {
  return openKeyRing(vaultOptions.parse({ key }), {
    mayCreate,
    record: { keyFileCreated: (path) => created.push(path) },
    signal: signal ?? AbortSignal.timeout(30_000),
    environment: {
      take: (name) => {
        const value = variables[name]
        delete variables[name]
        return value
      },
    },
  })
}

const key = randomBytes(32)
const keyId = async (): Promise<string> =>
  (await open('env:K', { variables: { K: key.toString('hex') } })).current.id

async function keyFile(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  await chmod(path, mode)
  return path
}

describe('the text of a key', () => {
  it.each([
    ['hexadecimal', key.toString('hex')],
    ['hexadecimal in capitals', `${key.toString('hex').toUpperCase()}\n`],
    ['base64', `${key.toString('base64')}\n`],
    ['base64 with a DOS line end', `${key.toString('base64')}\r\n`],
    ['base64 without padding', key.toString('base64').replace('=', '')],
    ['base64url', key.toString('base64url')],
  ])('may be %s', async (_, text) => {
    const ring = await open(`file:${await keyFile('forms.key', text)}`)
    expect(ring.current.id).toBe(await keyId())
  })

  it.each([
    ['nothing', ''],
    ['31 bytes', key.subarray(1).toString('base64')],
    ['33 bytes', Buffer.concat([key, key.subarray(0, 1)]).toString('base64')],
    ['raw bytes', key.toString('latin1')],
    ['a key and a word', `${key.toString('hex')}\nof mine`],
    ['a PEM file', '-----BEGIN PRIVATE KEY-----\n'],
  ])('may not be %s, and does not show in the error', async (_, text) => {
    const opening = open(`file:${await keyFile('bad.key', text)}`)
    await expect(opening).rejects.toMatchObject({ code: 'vault/bad-key' })
    const shown = await opening.catch(
      (error: Error & { fix?: string }) => error.message + error.fix,
    )
    if (text.length > 20) expect(shown).not.toContain(text.trim().slice(0, 12))
  })
})

describe('a key file', () => {
  it('is made at the first start: 0600, durable under its name alone, and recorded', async () => {
    const path = join(folder, 'new', 'deep', 'master.key')
    const first = await open(`file:${path}`, { mayCreate: true })
    const second = await open(`file:${path}`, { mayCreate: true })
    expect(second.current.id).toBe(first.current.id)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, 'new'))).mode & 0o777).toBe(0o700)
    expect(await readdir(join(folder, 'new', 'deep'))).toEqual(['master.key'])
    expect(await readFile(path, 'utf8')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
    expect(created).toEqual([path])
  })

  it('is the same one for two starts at once', async () => {
    const path = join(folder, 'race.key')
    created.length = 0
    const rings = await Promise.all(
      Array.from({ length: 8 }, () => open(`file:${path}`, { mayCreate: true })),
    )
    expect(new Set(rings.map(({ current }) => current.id)).size).toBe(1)
    expect(created).toEqual([path])
    expect((await readdir(folder)).filter((name) => name.startsWith('race'))).toEqual(['race.key'])
  })

  it('is not made once something is sealed, nor for a second key', async () => {
    const path = join(folder, 'absent.key')
    await expect(open(`file:${path}`)).rejects.toMatchObject({ code: 'vault/missing-key' })
    const second = open(`env:K,file:${path}`, {
      mayCreate: true,
      variables: { K: key.toString('hex') },
    })
    await expect(second).rejects.toMatchObject({ code: 'vault/missing-key' })
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it.each([0o640, 0o604, 0o660, 0o644, 0o610])(
    'is refused with mode %o, and says how to cure it',
    async (mode) => {
      const path = await keyFile('open.key', key.toString('hex'), mode)
      await expect(open(`file:${path}`)).rejects.toMatchObject({
        code: 'vault/unsafe-key-file',
        fix: `Run: chmod 600 ${path}`,
      })
    },
  )

  it.skipIf(process.geteuid?.() !== 0)('is refused when it belongs to somebody else', async () => {
    const path = await keyFile('theirs.key', key.toString('hex'))
    await chown(path, 65_534, 65_534)
    await expect(open(`file:${path}`)).rejects.toMatchObject({ code: 'vault/unsafe-key-file' })
  })

  it('may be a link, of which the target counts, but not a folder or a device', async () => {
    const link = join(folder, 'link.key')
    await symlink(await keyFile('target.key', key.toString('hex'), 0o400), link)
    expect((await open(`file:${link}`)).current.id).toBe(await keyId())
    for (const path of [folder, '/dev/zero']) {
      await expect(open(`file:${path}`)).rejects.toMatchObject({ code: 'vault/unsafe-key-file' })
    }
  })

  it('that cannot be made leaves nothing behind', async () => {
    const file = await keyFile('not-a-folder', 'x')
    await expect(open(`file:${file}/master.key`, { mayCreate: true })).rejects.toMatchObject({
      code: 'vault/missing-key',
    })
  })
})

describe('a key in the environment', () => {
  it('is taken away once read', async () => {
    const variables = { POSTERN_KEK: key.toString('base64') }
    await open('env:POSTERN_KEK', { variables })
    expect(variables).toEqual({})
  })

  it.each([{}, { POSTERN_KEK: '' }])('is missed when there is none: %j', async (variables) => {
    const opening = open('env:POSTERN_KEK', { variables, mayCreate: true })
    await expect(opening).rejects.toMatchObject({ code: 'vault/missing-key' })
  })
})

describe('a key from a command', () => {
  it('is what the command prints', async () => {
    const path = await keyFile('printed.key', key.toString('hex'))
    expect((await open(`command:cat '${path}' && echo hello >&2`)).current.id).toBe(await keyId())
  })

  it.each([
    ['fails', `echo ${key.toString('hex')}; exit 3`],
    ['does not exist', `no-such-command-${key.toString('hex')}`],
    ['never stops printing', `yes ${key.toString('hex')}`],
  ])('is refused when the command %s, without repeating what it printed', async (_, command) => {
    const opening = open(`command:${command}`)
    await expect(opening).rejects.toMatchObject({ code: 'vault/key-command-failed' })
    const error = await opening.catch((thrown: unknown) => thrown)
    expect(JSON.stringify([String(error), Object.entries(error as object)])).not.toContain(
      key.toString('hex'),
    )
  })

  it('does not outlive a start that was given up', async () => {
    const stopping = new AbortController()
    const opening = open('command:sleep 60', { signal: stopping.signal })
    stopping.abort(new Error('stopped'))
    await expect(opening).rejects.toThrow('stopped')
  })
})
