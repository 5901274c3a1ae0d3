import { AppError } from '../kernel/index.ts'

/** What can go wrong with the store. Stable: dashboards match on these. */
export type StoreErrorCode =
  | 'store/bad-url'
  | 'store/not-writable'
  | 'store/unreachable'
  | 'store/already-served' // another server works on this SQLite file
  | 'store/newer-schema' // written by a newer Postern
  | 'store/not-migrated' // a worker came before the server
  | 'store/corrupt'
  | 'store/busy' // others held the lock, or the database thought, for too long
  | 'store/disk-full' // nothing was changed; works again when there is space
  | 'store/io-failed'
  | 'store/halted' // a write could not be made durable: no more writes before a restart

export class StoreError extends AppError<StoreErrorCode> {
  override readonly name = 'StoreError'
}

/** Says whether a write was refused because a unique key is taken already, on either engine. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && UNIQUE_VIOLATIONS.has(error.code)
}

const UNIQUE_VIOLATIONS = new Set<unknown>([
  'SQLITE_CONSTRAINT_UNIQUE',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
  '23505', // unique_violation (PostgreSQL, appendix A)
])
