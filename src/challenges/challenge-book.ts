/** Answers to HTTP-01 challenges (RFC 8555 §8.3), and to our own probes, which look the same. */
import { after, type Clock, type Duration, type Hostname, hours } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { ChallengeError } from './errors.ts'

/** What a transaction of the store hands to its work. */
type StoreTransaction = Parameters<Parameters<Store['transaction']>[0]>[0]

/** The tokens that are shown right now, shared by all nodes through the store. */
export interface ChallengeBook {
  /**
   * Shows `keyAuthorization` under the token on this one host: on every node once it resolves.
   * Shown again, the latest counts. Throws `challenges/bad-token`.
   */
  show(
    hostname: Hostname,
    token: string,
    keyAuthorization: string,
    lifetime?: Duration,
  ): Promise<void>
  /**
   * Takes back all that is shown on this host. Atomic with whatever else `trx` does, if given: a
   * commit of its own for this would be one in five of a certificate's.
   */
  withdraw(hostname: Hostname, trx?: StoreTransaction): Promise<void>
  /** What to answer; `undefined` for any token that is not shown on exactly this host now. */
  answer(hostname: Hostname, token: string): Promise<string | undefined>
  /** Removes what is out of time; returns how many. */
  sweep(): Promise<number>
}

/** RFC 8555 §8.3 wants the base64url alphabet; real tokens have 43 characters. */
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/
/** A token, a dot, and a thumbprint of 43 characters (RFC 8555 §8.1). */
const KEY_AUTHORIZATION = /^[A-Za-z0-9_.-]{1,172}$/
/** CAs validate within seconds; a validation that comes later than this was given up long ago. */
const LIFETIME = hours(1)

export function createChallengeBook({
  store: { db, hot },
  clock,
}: {
  readonly store: Pick<Store, 'db' | 'hot'>
  readonly clock: Clock
}): ChallengeBook {
  return {
    show: async (hostname, token, keyAuthorization, lifetime = LIFETIME) => {
      if (!TOKEN.test(token) || !KEY_AUTHORIZATION.test(keyAuthorization)) {
        throw new ChallengeError('challenges/bad-token', 'This is no token that may be shown.')
      }
      const shown = {
        key_authorization: keyAuthorization,
        expires_at: after(clock.now(), lifetime).getTime(),
      }
      await db
        .insertInto('challenges')
        .values({ hostname, token, ...shown })
        .onConflict((conflict) => conflict.columns(['hostname', 'token']).doUpdateSet(shown))
        .execute()
    },
    withdraw: async (hostname, trx) => {
      await (trx ?? db).deleteFrom('challenges').where('hostname', '=', hostname).execute()
    },
    answer: async (hostname, token) => {
      // Decided here for every caller: whatever else is in a path never reaches the database.
      if (!TOKEN.test(token)) return undefined
      return await hot.keyAuthorization(hostname, token, clock.now().getTime())
    },
    sweep: async () => {
      const { numDeletedRows } = await db
        .deleteFrom('challenges')
        .where('expires_at', '<=', clock.now().getTime())
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}
