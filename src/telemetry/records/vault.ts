import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** The events of the vault and its keys. */
export type VaultRecord = ReturnType<typeof createVaultRecord>

export function createVaultRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Metrics
}) {
  const moved = metrics.counter({
    name: 'secrets_moved_total',
    help: 'Secrets given to another master key',
  })
  const unreadable = metrics.gauge({
    name: 'secrets_unreadable',
    help: 'Secrets that no master key at hand opened when they were last to be moved',
  })
  return {
    keyFileCreated: (path: string): void =>
      log.warn('key-file-created', {
        path,
        advice:
          'In production keep the master key apart from the database, and a copy of it apart from both.',
      }),
    /** The copy that the operator keeps elsewhere does not have it yet. */
    keyAddedToFile: (facts: { path: string; keyId: string }): void =>
      log.warn('key-added-to-file', {
        ...facts,
        advice: 'Copy the key file to where you keep the copy of the master key.',
      }),
    keysInUse: (facts: { seals: string; opens: readonly string[] }): void =>
      log.info('keys-in-use', facts),
    /** What was in use stays in use. */
    keysRefused: (facts: { error: unknown }): void => log.error('keys-refused', facts),
    /** A node lacks the key that `vault.key` names first: until it has it, another one seals. */
    keyWaitsForNodes: (facts: { keyId: string; nodes: readonly string[] }): void =>
      log.warn('key-waits-for-nodes', facts),
    oldKeysKeptByWorker: (facts: { error: unknown }): void =>
      log.warn('old-keys-kept-by-worker', facts),
    keysRetired: (facts: { keyIds: readonly string[] }): void => log.info('keys-retired', facts),
    rotationBegun: (facts: { toKeyId: string; secrets: number }): void =>
      log.info('key-rotation-begun', facts),
    /** Its key was never kept: nothing can be sealed with it. */
    rotationDropped: (facts: { toKeyId: string }): void => log.warn('key-rotation-dropped', facts),
    secretsMoved: (facts: { toKeyId: string; secrets: number }): void => {
      moved.inc(facts.secrets)
      log.debug('secrets-moved', facts)
    },
    secretUnreadable: (facts: { table: string; id: string; error: unknown }): void =>
      log.error('secret-unreadable', facts),
    rotationFinished: (facts: {
      toKeyId: string
      unreadable: number
      problem: string | undefined
    }): void => {
      unreadable.set(facts.unreadable)
      const isWell = facts.unreadable === 0 && facts.problem === undefined
      log[isWell ? 'info' : 'error']('key-rotation-finished', facts)
    },
  }
}
