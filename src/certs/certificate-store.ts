import type { Clock, Duration, Hostname, Random, Redacted } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { Vault } from '../vault/index.ts'
import { activate, discard, markRevoked } from './activation.ts'
import type { Certificate } from './certificate.ts'
import { type CertificateCounts, countCertificates } from './certificate-counts.ts'
import { type CertificatePage, type PageWishes, readPage } from './certificate-page.ts'
import { type ExpiringOwn, expiringOwn, markWarned } from './expiring-own.ts'
import { exportKey, exportPkcs12 } from './exports.ts'
import { findCurrent, findOne, findWaiting, type WaitingSource } from './finding.ts'
import { importOwn, type OwnCertificate } from './import-own.ts'
import { createPkcs12Files } from './pkcs12/pkcs12-files.ts'
import { type Pruned, prune } from './pruning.ts'
import {
  type CertificatePlan,
  claimQuestions,
  planCertificate,
  type RenewalHour,
  renewalsByHour,
} from './renewal-questions.ts'
import { type CertificateDraft, type StoreTransaction, saveIssued } from './saving.ts'

/** The certificates we hold, with their keys sealed. Shared by all nodes through the store. */
export interface CertificateStore {
  /**
   * Verifies and keeps an issued certificate; nobody is served it yet, and its CA is to be asked at
   * once when it should be renewed. Atomic with whatever else `trx` does, if given. Throws
   * `certs/unusable`.
   */
  save(draft: CertificateDraft, trx?: StoreTransaction): Promise<Certificate>
  /**
   * Verifies and keeps what a customer brings, for `activate` to put to use. The caller zeroes its
   * buffer. Throws `certs/bad-upload`, which says what is wrong and what helps.
   */
  importOwn(own: OwnCertificate): Promise<Certificate>
  /**
   * Makes it the one certificate that its host is served with. Its predecessor keeps its key until
   * the next activation, unless it was revoked; all before that lose theirs now. Throws
   * `certs/not-found`.
   */
  activate(id: string): Promise<void>
  /** Destroys the key of one that is not served. Throws `certs/in-use` of one that is. */
  discard(id: string): Promise<void>
  /** It goes on being served until it is replaced. Throws `certs/not-found`. */
  markRevoked(id: string): Promise<void>
  /** The one the host is served with. */
  current(hostname: Hostname): Promise<Certificate | undefined>
  /**
   * The newest that was never put to use, and can be: with its key, in validity, not revoked. If it
   * is not said from whom, what a CA issued goes first: an upload nobody put to use hides none.
   */
  waiting(hostname: Hostname, from?: WaitingSource): Promise<Certificate | undefined>
  find(id: string): Promise<Certificate | undefined>
  /** Those being served, the first to expire first. Throws `certs/bad-cursor`. */
  page(wishes: PageWishes): Promise<CertificatePage>
  /** Notes when to renew it and when to ask its CA again. False if there is no such certificate. */
  plan(id: string, plan: CertificatePlan): Promise<boolean>
  /**
   * Those in use, or waiting to be, whose CA is to be asked now. Each is put off by `leaseFor`, so
   * that two nodes do not ask the same, and that nothing is lost with a node that dies.
   */
  claimQuestions(claim: {
    readonly limit: number
    readonly leaseFor: Duration
  }): Promise<readonly Certificate[]>
  /** The renewals planned from `from` (inclusive) to `until`, in hours of the clock. */
  renewalsByHour(span: {
    readonly from: Date
    readonly until: Date
  }): Promise<readonly RenewalHour[]>
  /** The customers' own whose owners are to be warned now, the first to expire first. */
  expiringOwn(wishes: { readonly limit: number }): Promise<readonly ExpiringOwn[]>
  /** The owner has been told that `days` are left. */
  markWarned(id: string, days: number): Promise<void>
  /** The private key, PKCS#8 in PEM. Throws `certs/not-found`, `certs/key-destroyed`. */
  exportKey(id: string): Promise<Redacted<string>>
  /**
   * Chain and key as a PKCS#12 file that this password opens. Throws `certs/not-found`,
   * `certs/key-destroyed`, `certs/bad-password`.
   */
  exportPkcs12(id: string, password: string): Promise<Redacted<Buffer>>
  /**
   * Removes what ended 90 days ago and has no key, but the latest three of each host, and destroys
   * the keys of uploads that were not put to use within the hour. In small steps, until the signal;
   * on several nodes at once it does no harm.
   */
  prune(signal: AbortSignal): Promise<Pruned>
  /** Those being served, by what is left of them and where they come from. */
  count(): Promise<CertificateCounts>
}

export interface CertificateStoreDeps {
  readonly store: Pick<Store, 'db' | 'transaction' | 'engine'>
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly clock: Clock
  readonly random: Random
}

export function createCertificateStore(deps: CertificateStoreDeps): CertificateStore {
  const { store, clock } = deps
  const { db } = store
  const pkcs12 = createPkcs12Files()
  return {
    save: (draft, trx) => saveIssued(draft, trx ?? db, deps),
    importOwn: (own) => importOwn(own, { ...deps, pkcs12 }),
    activate: (id) => store.transaction((trx) => activate(id, clock.now(), trx)),
    discard: (id) => discard(id, db),
    markRevoked: (id) => markRevoked(id, clock.now(), db),
    current: (hostname) => findCurrent(hostname, db),
    waiting: async (hostname, from) => {
      const find = (source: WaitingSource) =>
        findWaiting({ hostname, from: source }, clock.now(), db)
      return from ? find(from) : ((await find('acme')) ?? find('customer'))
    },
    find: (id) => findOne(id, db),
    page: (wishes) => readPage(db, wishes),
    plan: (id, plan) => planCertificate(id, plan, db),
    claimQuestions: (claim) => claimQuestions(claim, deps),
    renewalsByHour: (span) => renewalsByHour(span, db),
    expiringOwn: (wishes) => expiringOwn(wishes, clock.now(), db),
    markWarned: (id, days) => markWarned(id, days, db),
    exportKey: (id) => exportKey(id, deps),
    exportPkcs12: (id, password) => exportPkcs12(id, password, { ...deps, pkcs12 }),
    prune: (signal) => prune(deps, signal),
    count: () => countCertificates(clock.now(), db),
  }
}
