import { randomBytes } from 'node:crypto'
import type { Stats } from 'node:fs'
import {
  constants,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
} from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { VaultError } from '../errors.ts'
import { drawKey } from '../key-ring.ts'
import { keyToLine } from '../key-text.ts'
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

/** Room for ninety keys. Longer files are no keys, whatever they are. */
const FILE_BYTES_MAX = 4096

/** `undefined` if there is none. Throws 'vault/unsafe-key-file' for one that others can read. */
export async function readKeyFile(path: string): Promise<Buffer | undefined> {
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
  return await readAll(path, file)
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

async function readAll(path: string, file: FileHandle): Promise<Buffer> {
  const buffer = Buffer.alloc(FILE_BYTES_MAX + 1)
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
  if (bytesRead <= FILE_BYTES_MAX) return buffer.subarray(0, bytesRead)
  buffer.fill(0)
  throw new VaultError('vault/bad-key', `The file ${path} is too long to hold keys.`, {
    fix: `Point vault.key to a file of keys, one per line and ${FILE_BYTES_MAX} bytes at most.`,
  })
}

/**
 * Puts `text` in the place of the file's content: aside, durable, and only then under the name. A
 * crash or a full disk leaves the old content as it was. Zeroes `text`.
 */
export async function replaceKeyFile(path: string, text: Buffer): Promise<void> {
  try {
    if (text.length > FILE_BYTES_MAX) throw new RangeError(`more than ${FILE_BYTES_MAX} bytes`)
    // What a link points to is replaced, and not the link.
    const target = await realpath(path)
    await removeDrafts(target)
    const draft = draftOf(target)
    try {
      await writeDurably(draft, text)
      await rename(draft, target)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
    await syncFolders(dirname(target), dirname(target))
  } catch (error) {
    throw notWritten(path, error)
  } finally {
    text.fill(0)
  }
}

/** What a process left that was killed while it wrote: keys, in a file that nobody would look for. */
async function removeDrafts(target: string): Promise<void> {
  const folder = dirname(target)
  const names = await readdir(folder)
  const drafts = names.filter(
    (name) => name.startsWith(`${basename(target)}.`) && DRAFT_END.test(name),
  )
  for (const name of drafts) await rm(join(folder, name), { force: true })
}

const DRAFT_END = /\.[0-9a-f]{12}\.new$/

function draftOf(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.new`
}

/**
 * Writes a new key aside, makes it durable, and only then gives it its name, which a link does only
 * if the name is free: two starts at once end up with one key, a crash with a whole key or none.
 */
async function createKeyFile(path: string): Promise<'created' | 'was-there'> {
  const folder = dirname(path)
  const draft = draftOf(path)
  try {
    const topmost = await mkdir(folder, { recursive: true, mode: 0o700 })
    const text = keyToLine(drawKey(`file:${path}`))
    await writeDurably(draft, text).finally(() => text.fill(0))
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

async function writeDurably(path: string, text: Buffer): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(text)
  await file.sync()
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

function notWritten(path: string, cause: unknown): VaultError {
  const why = codeOf(cause) ?? (cause instanceof Error ? cause.message : 'unknown')
  return new VaultError(
    'vault/key-file-not-written',
    `The key file ${path} could not be written (${why}); it is as it was.`,
    {
      cause,
      fix: 'Make room, and let the user that Postern runs as write to the folder of the key file.',
    },
  )
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
