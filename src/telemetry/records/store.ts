import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** The events of the store. */
export type StoreRecord = ReturnType<typeof createStoreRecord>

export function createStoreRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Metrics
}) {
  const errors = metrics.counter({
    name: 'store_errors_total',
    help: 'Queries that failed for reasons of the database or its disk, by code',
    labels: ['code'],
  })
  const conflicts = metrics.counter({
    name: 'store_conflicts_total',
    help: 'Transactions that ran again because another one was faster',
  })
  return {
    storeOpened: (facts: { readonly engine: string; readonly schemaVersion: number }): void =>
      log.info('store-opened', facts),
    schemaMigrated: (facts: { readonly version: number; readonly name: string }): void =>
      log.info('schema-migrated', facts),
    storeFailed: (error: { readonly code: string; readonly message: string }): void => {
      errors.inc({ code: error.code })
      log.warn('store-failed', { error })
    },
    /** Visitors go on with what an edge knows; hosts that it does not know are turned away. */
    storeAway: (facts: { readonly error: unknown }): void => log.error('store-away', facts),
    storeBack: (facts: { readonly failures: number; readonly seconds: number }): void =>
      log.info('store-back', facts),
    writesHalted: (error: { readonly code: string; readonly message: string }): void =>
      log.error('store-writes-halted', { error }),
    transactionConflicted: (): void => conflicts.inc(),
    noticesInterrupted: (error: unknown): void => log.warn('store-notices-interrupted', { error }),
    noticesListening: (): void => log.info('store-notices-listening'),
  }
}
