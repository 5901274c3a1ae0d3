import type { StoreDeps, StoreEngine, StoreInspection } from './engine.ts'
import { pendingMigrations, readMigrations } from './migrate.ts'
import type { StoreOptions } from './options.ts'
import type { Store } from './store.ts'
import { parseStoreUrl, type StoreLocation } from './store-url.ts'

/**
 * Opens the store. A server brings the schema forward and, on SQLite, keeps other servers away; a
 * worker does neither. The caller disposes it. Throws StoreError.
 */
export async function openStore(options: StoreOptions, deps: StoreDeps): Promise<Store> {
  const engine = await loadEngine(parseStoreUrl(options.url))
  return engine.open(deps)
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
  const engine = await loadEngine(location)
  const inspection = await engine.inspect(signal)
  if (inspection.kind === 'present') {
    pendingMigrations(inspection.schemaVersion, await readMigrations(location.engine))
  }
  return inspection
}

/** Loads what `openStore` will need, while something else still has to be waited for. */
export async function prepareStore(options: StoreOptions): Promise<void> {
  await loadEngine(parseStoreUrl(options.url))
}

/** Only the engine in use is loaded: each is some megabytes in every worker. */
async function loadEngine(location: StoreLocation): Promise<StoreEngine> {
  if (location.engine === 'sqlite') {
    const { createSqliteEngine } = await import('./sqlite/engine.ts')
    return createSqliteEngine(location.path)
  }
  const { createPostgresEngine } = await import('./postgres/engine.ts')
  return createPostgresEngine(location.url)
}
