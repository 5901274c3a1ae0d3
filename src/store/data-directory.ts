import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { StoreError } from './errors.ts'
import type { StoreOptions } from './options.ts'
import { parseStoreUrl } from './store-url.ts'

/** Where this machine's files live: beside the SQLite file, or `certs-store/data` with PostgreSQL. */
export function dataDirectory(options: StoreOptions): string {
  const location = parseStoreUrl(options.url)
  return location.engine === 'sqlite' ? dirname(location.path) : resolve('certs-store/data')
}

/** Makes a directory that only its owner may enter, unless it is there. Throws `store/not-writable`. */
export async function createPrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw notWritable(path, error)
  }
}

/** The error for a place where nothing can be written. */
export function notWritable(path: string, cause: unknown): StoreError {
  return new StoreError('store/not-writable', `Cannot write to ${path}${becauseOf(cause)}.`, {
    cause,
    fix: `Give this user write access to ${path} and its directory, or set store.url to another place.`,
  })
}

function becauseOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
}
