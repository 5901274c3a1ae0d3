import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Clock, createSingleFlight, newId, type Random } from '../kernel/index.ts'
import type { AcmeRecord } from '../telemetry/index.ts'
import type { SealContext, Vault } from '../vault/index.ts'
import type { AccountRecord, AccountTable } from './account-table.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import { AcmeError } from './errors.ts'
import type { AcmeOptions } from './options.ts'
import { publicJwkOf } from './protocol/account-key.ts'
import type { ExternalAccount } from './protocol/jws-engine.ts'
import type { AcmeProtocol } from './protocol/protocol.ts'

/** Our account at the CA, ready to sign. */
export interface Account {
  readonly id: string
  readonly url: string
  readonly key: KeyObject
  readonly publicJwk: object
}

export interface Accounts {
  /**
   * Tells the account, making it the first time. The key is sealed and stored before the CA hears
   * of it, and the same key names the same account (RFC 8555 §7.3.1): so neither a kill nor a
   * second node makes a second one. Throws `acme/terms-not-agreed` before anything is made.
   */
  ensure(signal: AbortSignal): Promise<Account>
  /** The CA does not know this account any more: the next `ensure` registers the key anew. */
  forget(account: Account): Promise<void>
  /** As far as it is known without asking the CA. */
  known(): Promise<{ readonly id: string; readonly url: string | undefined } | undefined>
}

export interface AccountsDeps {
  readonly table: AccountTable
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly protocol: AcmeProtocol
  readonly clock: Clock
  readonly random: Random
  readonly record: Pick<AcmeRecord, 'accountRegistered'>
}

export function createAccounts(
  { table, vault, protocol, clock, random, record }: AccountsDeps,
  {
    authority,
    options,
    externalAccount,
  }: {
    readonly authority: CertificateAuthority
    readonly options: Pick<AcmeOptions, 'agreeTerms' | 'email'>
    readonly externalAccount: ExternalAccount | undefined
  },
): Accounts {
  const { directoryUrl } = authority
  const flight = createSingleFlight<'account', Account>()
  let ready: Account | undefined

  const add = (): Promise<AccountRecord> => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const plain = privateKey.export({ type: 'pkcs8', format: 'der' })
    try {
      return table.findOrAdd({
        id: newId({ clock, random }),
        directoryUrl,
        sealedKey: vault.seal(plain, accountKeyContext(directoryUrl)),
        createdAt: clock.now(),
      })
    } finally {
      plain.fill(0)
    }
  }
  const mayRegister = async (): Promise<void> => {
    const { meta } = await protocol.directory()
    if (meta.termsOfService !== undefined && !options.agreeTerms) {
      throw new AcmeError('acme/terms-not-agreed', `they are at ${meta.termsOfService}`)
    }
    if (meta.externalAccountRequired && externalAccount === undefined) {
      throw new AcmeError('acme/account-refused', 'it serves only customers it knows already')
    }
  }
  const load = async (signal: AbortSignal): Promise<Account> => {
    const known = await table.find(directoryUrl)
    if (known?.url === undefined) await mayRegister()
    const stored = known ?? (await add())
    const key = openAccountKey(stored, vault)
    const publicJwk = publicJwkOf(key)
    if (stored.url !== undefined) return { id: stored.id, url: stored.url, key, publicJwk }

    const session = await protocol.openSession({ key, publicJwk }, signal)
    const url = await session.register({ email: options.email })
    await table.setUrl(stored.id, url)
    record.accountRegistered({ ca: authority.name, url })
    return { id: stored.id, url, key, publicJwk }
  }

  return {
    ensure: async (signal) => {
      ready ??= await flight('account', () => load(signal))
      return ready
    },
    forget: async (account) => {
      if (ready?.url === account.url) ready = undefined
      await table.setUrl(account.id, undefined)
    },
    known: async () => ready ?? table.find(directoryUrl),
  }
}

function openAccountKey(
  { sealedKey, directoryUrl }: AccountRecord,
  vault: Pick<Vault, 'open'>,
): KeyObject {
  const plain = vault.open(sealedKey, accountKeyContext(directoryUrl))
  try {
    return createPrivateKey({ key: plain, type: 'pkcs8', format: 'der' })
  } finally {
    plain.fill(0)
  }
}

function accountKeyContext(directoryUrl: string): SealContext {
  return { purpose: 'acme-account-key', owner: directoryUrl, version: 1 }
}
