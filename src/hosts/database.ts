import type { Store } from '../store/index.ts'

/** The store, or a transaction of it. */
export type Database = Pick<Store['db'], 'selectFrom' | 'updateTable' | 'insertInto' | 'deleteFrom'>
