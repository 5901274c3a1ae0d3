import { randomBytes } from 'node:crypto'
import type { Stats } from 'node:fs'
import { constants, type FileHandle, link, mkdir, open, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { VaultError } from '../errors.ts'
import { KEY_BYTES } from '../key-ring.ts'
import type { KeySource } from './key-source.ts'

/** `file:PATH`: a file that nobody but us can read. Made at the first start if it is not there. */
export const fileKeySource: KeySource = {
  scheme: 'file',
  read: async (path, { mayCreate, record }) => {
    const found = await readKeyFile(path)
    if (found) return found
    if (!mayCreate) throw missing(path)
    if ((await createKeyFile(path)) === 'created') record.keyFileCreated(path)
    const created = await readKeyFile(path)
    if (created) return created
    throw missing(path)
  },
}

/** Longer files are no keys, whatever they are. */
const FILE_BYTES_MAX = 4096

async function readKeyFile(path: string): Promise<Buffer | undefined> {
  // Not blocking, or a named pipe would hold us up for ever. A link is followed: secrets of
  // Kubernetes are links.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK
  const file = await open(path, flags).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw unreadable(path, error)
  })
  if (!file) return undefined
  await using _closing = file
  // Asked of the open file, so that it cannot be another one by the time it is read.
  refuseUnsafe(path, await file.stat())
  return await readAll(file)
}

function refuseUnsafe(path: string, stats: Stats): void {
  const unsafe = (why: string, fix: string): VaultError =>
    new VaultError('vault/unsafe-key-file', `The key file ${path} ${why}.`, { fix })
  if (!stats.isFile()) {
    throw unsafe('is not a file', 'Point vault.key to a file that holds the key.')
  }
  // Windows has neither owners nor modes; there the folder's permissions must do.
  const us = process.geteuid?.()
  if (us === undefined) return
  if (stats.uid !== us) {
    throw unsafe(`belongs to user ${stats.uid}, not to us (${us})`, `Run: chown ${us} ${path}`)
  }
  const mode = stats.mode & 0o777
  if ((mode & 0o077) !== 0) {
    const seen = mode.toString(8).padStart(4, '0')
    throw unsafe(`is open to others (mode ${seen})`, `Run: chmod 600 ${path}`)
  }
}

async function readAll(file: FileHandle): Promise<Buffer> {
  const buffer = Buffer.alloc(FILE_BYTES_MAX)
  const { bytesRead } = await file.read(buffer, 0, FILE_BYTES_MAX, 0)
  return buffer.subarray(0, bytesRead)
}

/**
 * Writes a new key aside, makes it durable, and only then gives it its name, which a link does only
 * if the name is free: two starts at once end up with one key, a crash with a whole key or none.
 */
async function createKeyFile(path: string): Promise<'created' | 'was-there'> {
  const folder = dirname(path)
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    const topmost = await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeDurably(draft)
    try {
      await link(draft, path)
    } finally {
      await rm(draft)
    }
    await syncFolders(folder, topmost === undefined ? folder : dirname(topmost))
    return 'created'
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'was-there'
    throw notCreated(path, error)
  }
}

async function writeDurably(path: string): Promise<void> {
  const key = randomBytes(KEY_BYTES)
  const text = Buffer.from(`${key.toString('base64')}\n`)
  try {
    await using file = await open(path, 'wx', 0o600)
    await file.writeFile(text)
    await file.sync()
  } finally {
    key.fill(0)
    text.fill(0)
  }
}

/** Makes names durable: in `folder`, and in those above it up to `last`, which were made too. */
async function syncFolders(folder: string, last: string): Promise<void> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    await using handle = await open(path, 'r')
    await handle.sync()
    if (path === resolve(last) || path === dirname(path)) return
  }
}

function missing(path: string): VaultError {
  return new VaultError('vault/missing-key', `The key file ${path} is not there.`, {
    fix: 'Put the key back from where it is kept; a new one could not open what is in the database.',
  })
}

function unreadable(path: string, cause: unknown): VaultError {
  const message = `The key file ${path} cannot be read (${codeOf(cause)}).`
  return new VaultError('vault/missing-key', message, {
    cause,
    fix: 'Let the user that Postern runs as own the file, with mode 0600.',
  })
}

function notCreated(path: string, cause: unknown): VaultError {
  const message = `No key file could be made at ${path} (${codeOf(cause)}).`
  return new VaultError('vault/missing-key', message, {
    cause,
    fix: 'Make the folder writable, or point vault.key to a key of your own.',
  })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
