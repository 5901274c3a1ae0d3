import pg from 'pg'
import type { StoreRecord } from '../../telemetry/index.ts'
import { StoreError, type StoreErrorCode } from '../errors.ts'

/**
 * The error to throw for one of PostgreSQL's or of the connection's. Refused writes (constraints),
 * conflicts and bugs stay as they are. SQLSTATE: PostgreSQL's documentation, appendix A.
 */
export function toStoreError(error: unknown, name: string): unknown {
  if (error instanceof StoreError || !(error instanceof Error)) return error
  const state = sqlStateOf(error)
  const code = state === undefined ? undefined : storeCodeOf(state)
  if (!code) return error
  return new StoreError(code, `${SENTENCES[code]} at ${name}: ${error.message}`, {
    cause: error,
    fix: FIXES[code],
  })
}

/** Like `toStoreError`, and counted. */
export function recordFault(error: unknown, name: string, record: StoreRecord): unknown {
  const converted = toStoreError(error, name)
  if (converted instanceof StoreError && converted !== error) record.storeFailed(converted)
  return converted
}

/** Another transaction was faster; the same one will do well if it runs again. */
export function isConflict(error: unknown): boolean {
  return (
    error instanceof pg.DatabaseError &&
    (error.code === SERIALIZATION_FAILURE || error.code === DEADLOCK_DETECTED)
  )
}

/** What does not come from the server comes from the way to it, unless it is a bug of ours. */
function sqlStateOf(error: Error): string | undefined {
  if (error instanceof pg.DatabaseError) return error.code
  const isOfTheNetwork = 'syscall' in error || error.name === 'Error'
  return isOfTheNetwork || error instanceof AggregateError ? CONNECTION_EXCEPTION : undefined
}

const CONNECTION_EXCEPTION = '08000'
const SERIALIZATION_FAILURE = '40001'
const DEADLOCK_DETECTED = '40P01'

function storeCodeOf(state: string): keyof typeof SENTENCES | undefined {
  return CODE_BY_STATE[state] ?? CODE_BY_CLASS[state.slice(0, 2)]
}

const CODE_BY_STATE: Readonly<Record<string, keyof typeof SENTENCES>> = {
  '25006': 'store/not-writable', // read_only_sql_transaction
  '25P03': 'store/busy', // idle_in_transaction_session_timeout
  '3D000': 'store/unreachable', // invalid_catalog_name
  '42501': 'store/not-writable', // insufficient_privilege
  '53100': 'store/disk-full',
  '53300': 'store/unreachable', // too_many_connections
  '55P03': 'store/busy', // lock_not_available
  '57014': 'store/busy', // query_canceled, by statement_timeout
}

const CODE_BY_CLASS: Readonly<Record<string, keyof typeof SENTENCES>> = {
  '08': 'store/unreachable', // connection exception
  '28': 'store/unreachable', // invalid authorization specification
  '57': 'store/unreachable', // operator intervention
  '58': 'store/io-failed', // system error
  XX: 'store/corrupt', // internal error
}

const SENTENCES = {
  'store/unreachable': 'No connection to the database',
  'store/not-writable': 'The database can only be read',
  'store/disk-full': 'The disk of the database is full',
  'store/busy': 'The database took too long',
  'store/io-failed': 'The database has trouble with its system',
  'store/corrupt': 'The database is damaged',
} as const satisfies Partial<Record<StoreErrorCode, string>>

const FIXES: Partial<Record<StoreErrorCode, string>> = {
  'store/unreachable': 'Check host, port, database, user and password in store.url.',
  'store/not-writable': 'Use the primary server, and a user who may create tables.',
  'store/disk-full': 'Make space on the database server.',
  'store/corrupt': "Look at the database server's log.",
}
