import type { Hostname } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { type Vault, VaultError } from '../vault/index.ts'
import { buildContext, type ServedContext } from './build-context.ts'

/** Makes contexts of certificates that are not served yet, to be tried out and dropped. */
export interface RehearsalContexts {
  /** Past the cache, which holds what is served. Throws what the store throws. */
  build(hostname: Hostname, certificateId: string): Promise<BuiltContext>
}

export type BuiltContext =
  | { readonly kind: 'built'; readonly served: ServedContext }
  /** `why` ends a sentence. */
  | { readonly kind: 'failed'; readonly why: string }
  /** It may be sound: this process has not the key to open it. */
  | { readonly kind: 'unanswered'; readonly why: string }

export function createRehearsalContexts({
  store,
  vault,
}: {
  readonly store: Pick<Store, 'db'>
  readonly vault: Pick<Vault, 'open'>
}): RehearsalContexts {
  return {
    build: async (hostname, certificateId) => {
      const row = await store.db
        .selectFrom('certificates')
        .select(['id', 'serial', 'not_after', 'chain_pem', 'sealed_key', 'key_type', 'revoked_at'])
        .where('id', '=', certificateId)
        .where('hostname', '=', hostname)
        .executeTakeFirst()
      if (!row) return { kind: 'failed', why: `There is no certificate ${certificateId}` }
      if (row.sealed_key.length === 0) return { kind: 'failed', why: 'Its key was destroyed' }
      try {
        return { kind: 'built', served: buildContext(row, hostname, vault) }
      } catch (error) {
        if (!(error instanceof Error)) throw error
        if (error instanceof VaultError && error.code === 'vault/missing-key') {
          return { kind: 'unanswered', why: 'The master key that opens it is not there' }
        }
        // Altered, or refused by OpenSSL: whatever it is, it would be so for visitors, too.
        return { kind: 'failed', why: `It cannot be used: ${error.message.replace(/\.$/, '')}` }
      }
    },
  }
}
