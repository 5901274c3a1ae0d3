import { setImmediate } from 'node:timers/promises'
import type { ControlledTransaction, Kysely, KyselyPlugin, Transaction } from 'kysely'
import type { Clock } from '../../kernel/index.ts'
import type { Schema } from '../schema.ts'
import type { Store } from '../store.ts'

/** Lets transactions that come at about the same time share one commit, and so one fsync. */
export interface GroupCommit {
  readonly transaction: Store['transaction']
  /** Resolves once no transaction is under way or waiting. */
  idle(): Promise<void>
}

export interface GroupCommitDeps {
  readonly db: Kysely<Schema>
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** SQLite rolls back by itself when the disk is full or fails. */
  readonly isInTransaction: () => boolean
}

/**
 * Nobody hears of an outcome, good or bad, before the common commit: each may rest on what another
 * one wrote. A member that throws is undone alone; when the commit fails, all of them fail. The
 * connection belongs to the group until its end, so a query through `db` never falls into one.
 */
export function createGroupCommit(deps: GroupCommitDeps): GroupCommit {
  const waiting: Member[] = []
  let running: Promise<void> | undefined

  const runAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      // Whatever the event loop holds ready may join: without this turn nobody ever waits, as a
      // transaction and its fsync leave no moment for others to ask.
      await setImmediate()
      await commitGroup(waiting, deps)
    }
    running = undefined
  }
  return {
    transaction: (work) => {
      const { member, promise } = createMember(work)
      waiting.push(member)
      running ??= runAll()
      return promise
    },
    idle: async () => {
      while (running) await running
    },
  }
}

/** One transaction of a group. */
interface Member {
  /** Does its work; returns what came of it, for nobody else yet. */
  run(trx: Transaction<Schema>): Promise<Outcome>
  fail(error: unknown): void
}

type Outcome =
  | { readonly kind: 'done'; tell(): void }
  | { readonly kind: 'failed'; readonly error: unknown; tell(): void }

function createMember<Result>(work: (trx: Transaction<Schema>) => Promise<Result>) {
  const told = Promise.withResolvers<Result>()
  const member: Member = {
    run: async (trx) => {
      const end = new EndOfMember()
      try {
        const result = await work(trx.withPlugin(end))
        return { kind: 'done', tell: () => told.resolve(result) }
      } catch (error) {
        return { kind: 'failed', error, tell: () => told.reject(error) }
      } finally {
        end.hasCome = true
      }
    },
    fail: told.reject,
  }
  return { member, promise: told.promise }
}

/** Keeps a query that comes after its transaction's end out of the next member's. */
class EndOfMember implements KyselyPlugin {
  hasCome = false

  transformQuery({ node }: Parameters<KyselyPlugin['transformQuery']>[0]) {
    if (this.hasCome) throw new Error('This transaction is over')
    return node
  }

  async transformResult({ result }: Parameters<KyselyPlugin['transformResult']>[0]) {
    return result
  }
}

async function commitGroup(waiting: Member[], deps: GroupCommitDeps): Promise<void> {
  const members = waiting.splice(0, 1)
  const outcomes: Outcome[] = []
  try {
    const trx = await deps.db.startTransaction().execute()
    try {
      const endsAt = deps.clock.monotonicMs() + GROUP_MS_MAX
      for (const member of members) {
        outcomes.push(await runUndoably(member, trx, deps))
        const mayGrow = members.length < GROUP_MEMBERS_MAX && deps.clock.monotonicMs() < endsAt
        // The loop goes on with whom it finds here.
        if (mayGrow) members.push(...waiting.splice(0, 1))
      }
      await trx.commit().execute()
    } catch (error) {
      await trx.rollback().execute()
      throw error
    }
  } catch (error) {
    for (const member of members) member.fail(error)
    return
  }
  for (const outcome of outcomes) outcome.tell()
}

/** Throws when more is lost than the member's own work. */
async function runUndoably(
  member: Member,
  trx: ControlledTransaction<Schema>,
  { isInTransaction }: Pick<GroupCommitDeps, 'isInTransaction'>,
): Promise<Outcome> {
  const before = await trx.savepoint('member').execute()
  const outcome = await member.run(trx)
  if (outcome.kind === 'failed') {
    if (!isInTransaction()) throw outcome.error
    await before.rollbackToSavepoint('member').execute()
  }
  await before.releaseSavepoint('member').execute()
  return outcome
}

/** Bounds on how long the first one waits for its commit, and the others for the connection. */
const GROUP_MEMBERS_MAX = 64
const GROUP_MS_MAX = 5
