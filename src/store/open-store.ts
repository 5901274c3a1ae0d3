import type { StoreDeps, StoreEngine, StoreInspection } from './engine.ts'
import { pendingMigrations, readMigrations } from './migrate.ts'
import type { StoreOptions } from './options.ts'
import { createPostgresEngine } from './postgres/engine.ts'
import { createSqliteEngine } from './sqlite/engine.ts'
import type { Store } from './store.ts'
import { parseStoreUrl, type StoreLocation } from './store-url.ts'

/**
 * Opens the store. A server brings the schema forward and, on SQLite, keeps other servers away; a
 * worker does neither. The caller disposes it. Throws StoreError.
 */
export function openStore(options: StoreOptions, deps: StoreDeps): Promise<Store> {
  return engineOf(parseStoreUrl(options.url)).open(deps)
}

/**
 * Looks what is in the store without changing one byte, before anything else is decided: is the key
 * the right one, is the schema ours? Call it before `openStore`, not while this process has the
 * store open. Throws `store/newer-schema`, `store/not-writable`, `store/unreachable`,
 * `store/corrupt`, `store/bad-url`.
 */
export async function inspectStore(
  options: StoreOptions,
  signal?: AbortSignal,
): Promise<StoreInspection> {
  const location = parseStoreUrl(options.url)
  const inspection = await engineOf(location).inspect(signal)
  if (inspection.kind === 'present') {
    pendingMigrations(inspection.schemaVersion, await readMigrations(location.engine))
  }
  return inspection
}

function engineOf(location: StoreLocation): StoreEngine {
  return location.engine === 'sqlite'
    ? createSqliteEngine(location.path)
    : createPostgresEngine(location.url)
}
