import { accessSync, constants, existsSync, realpathSync } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { createPrivateDirectory, notWritable } from '../data-directory.ts'

/** The file behind a link, so that everybody who opens the database means the same lock. */
export function canonicalPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path
}

/** Is there anything in the database yet? */
export async function hasContent(path: string): Promise<boolean> {
  if (!existsSync(path)) return false
  return (await stat(path)).size > 0
}

/** Makes sure that SQLite may write here. Throws `store/not-writable`; changes nothing. */
export function requireWritable(path: string): void {
  try {
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK)
    // With the dot it must be a directory.
    accessSync(`${nearestExisting(dirname(path))}/.`, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw notWritable(path, error)
  }
}

/** The directory itself, or the one in which it will be made. */
function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path))
}

/**
 * Makes an empty database in WAL mode, readable by its owner alone. It appears whole or not at all:
 * a half-made one, with a journal that wants to be rolled back, could not be inspected read-only.
 */
export async function createDatabaseFile(path: string): Promise<void> {
  await createPrivateDirectory(dirname(path))
  const draft = `${path}.new`
  try {
    for (const leftOver of [draft, `${draft}-journal`, `${draft}-wal`, `${draft}-shm`]) {
      await rm(leftOver, { force: true })
    }
    await closed(open(draft, 'wx', 0o600))
    const database = new Database(draft)
    database.pragma('journal_mode = wal')
    database.close()
    await rename(draft, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    throw notWritable(path, error)
  }
}

/** A new name is safe only when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function closed(opening: Promise<FileHandle>): Promise<void> {
  const handle = await opening
  await handle.close()
}
