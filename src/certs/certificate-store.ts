import { createPrivateKey, type KeyObject } from 'node:crypto'
import {
  after,
  type Clock,
  days,
  type Hostname,
  newId,
  type Random,
  Redacted,
} from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import { toSealedBytes, type Vault } from '../vault/index.ts'
import { type Certificate, verifyIssued } from './certificate.ts'
import { type CertificatePage, type PageWishes, readPage } from './certificate-page.ts'
import {
  CERTIFICATE_COLUMNS,
  certificateToRow,
  keyContext,
  rowToCertificate,
} from './certificate-row.ts'
import { CertificateError } from './errors.ts'

/** What a transaction of the store hands to its work. */
export type StoreTransaction = Parameters<Parameters<Store['transaction']>[0]>[0]

/** The certificates we hold, with their keys sealed. Shared by all nodes through the store. */
export interface CertificateStore {
  /**
   * Verifies and keeps an issued certificate; nobody is served it yet. Atomic with whatever else
   * `trx` does, if given. Throws `certs/unusable`.
   */
  save(draft: CertificateDraft, trx?: StoreTransaction): Promise<Certificate>
  /**
   * Makes it the one certificate that its host is served with. Its predecessor keeps its key until
   * the next activation; all before that lose theirs now. Throws `certs/not-found`.
   */
  activate(id: string): Promise<void>
  /** The one the host is served with. */
  current(hostname: Hostname): Promise<Certificate | undefined>
  find(id: string): Promise<Certificate | undefined>
  /** Those being served, the first to expire first. Throws `certs/bad-cursor`. */
  page(wishes: PageWishes): Promise<CertificatePage>
  /** The private key, PKCS#8 in PEM. Throws `certs/not-found`, `certs/key-destroyed`. */
  exportKey(id: string): Promise<Redacted<string>>
  /** Those being served, by the time they have left; each counts once. */
  count(): Promise<CertificateCounts>
}

/** An issued certificate to be kept. */
export interface CertificateDraft {
  readonly hostname: Hostname
  /** As the CA sent it. */
  readonly chainPem: string
  /** The caller zeroes it. */
  readonly keyPkcs8Der: Buffer
  readonly renewAt: Date
  readonly renewBecause: string
  readonly source: string
  /** For callers that may save twice: the same id twice is a unique violation. */
  readonly id?: string
}

export interface CertificateCounts {
  readonly expired: number
  readonly under7Days: number
  readonly under30Days: number
  readonly longer: number
}

interface CertificateStoreDeps {
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly clock: Clock
  readonly random: Random
}

export function createCertificateStore(deps: CertificateStoreDeps): CertificateStore {
  const { store, clock } = deps
  return {
    save: (draft, trx) => save(draft, trx ?? store.db, deps),
    activate: (id) => store.transaction((trx) => activate(id, trx)),
    current: async (hostname) => {
      const row = await store.db
        .selectFrom('certificates')
        .select(CERTIFICATE_COLUMNS)
        .where('hostname', '=', hostname)
        .where('is_current', '=', 1)
        .executeTakeFirst()
      return row && rowToCertificate(row)
    },
    find: async (id) => {
      const row = await store.db
        .selectFrom('certificates')
        .select(CERTIFICATE_COLUMNS)
        .where('id', '=', id)
        .executeTakeFirst()
      return row && rowToCertificate(row)
    },
    page: (wishes) => readPage(store.db, wishes),
    exportKey: (id) => exportKey(id, deps),
    count: () => count(clock.now(), store.db),
  }
}

async function save(
  draft: CertificateDraft,
  db: Store['db'],
  { vault, clock, random }: CertificateStoreDeps,
): Promise<Certificate> {
  const { hostname, chainPem, renewAt, renewBecause, source } = draft
  const privateKey = createPrivateKey({ key: draft.keyPkcs8Der, format: 'der', type: 'pkcs8' })
  const createdAt = clock.now()
  const certificate: Certificate = {
    ...verifyIssued({ chainPem, privateKey, hostname, now: createdAt }),
    id: draft.id ?? newId({ clock, random }),
    ...{ hostname, renewAt, renewBecause, source, createdAt },
    isCurrent: false,
  }
  const keyPem = toPemBytes(privateKey)
  try {
    const sealedKey = vault.seal(keyPem, keyContext(hostname, certificate.id))
    await db
      .insertInto('certificates')
      .values({ ...certificateToRow(certificate), sealed_key: sealedKey })
      .execute()
  } finally {
    keyPem.fill(0)
  }
  return certificate
}

/** Sealed as PEM, because that is what the edge hands to OpenSSL, without another copy. */
function toPemBytes(privateKey: KeyObject): Buffer {
  return Buffer.from(privateKey.export({ format: 'pem', type: 'pkcs8' }))
}

async function activate(id: string, trx: StoreTransaction): Promise<void> {
  const row = await trx
    .selectFrom('certificates')
    .select(['hostname', 'is_current'])
    .where('id', '=', id)
    .where('sealed_key', '!=', NOTHING)
    .executeTakeFirst()
  if (!row) throw notFound(id)
  // Activated twice: the predecessor must not be taken for one that was superseded long ago.
  if (row.is_current === 1) return
  await trx
    .updateTable('certificates')
    .set({ sealed_key: NOTHING })
    .where('hostname', '=', row.hostname)
    .where('is_current', '=', 0)
    .where('id', '!=', id)
    .where('sealed_key', '!=', NOTHING)
    .execute()
  // First the old one: there is never more than one, a unique index sees to that.
  await trx
    .updateTable('certificates')
    .set({ is_current: 0 })
    .where('hostname', '=', row.hostname)
    .where('is_current', '=', 1)
    .where('id', '!=', id)
    .execute()
  await trx.updateTable('certificates').set({ is_current: 1 }).where('id', '=', id).execute()
}

async function exportKey(
  id: string,
  { store, vault }: CertificateStoreDeps,
): Promise<Redacted<string>> {
  const row = await store.db
    .selectFrom('certificates')
    .select([...CERTIFICATE_COLUMNS, 'sealed_key'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) throw notFound(id)
  if (row.sealed_key.length === 0) {
    throw new CertificateError('certs/key-destroyed', `The key of certificate ${id} was destroyed.`)
  }
  const { hostname } = rowToCertificate(row)
  const keyPem = vault.open(toSealedBytes(row.sealed_key), keyContext(hostname, id))
  try {
    return new Redacted(keyPem.toString())
  } finally {
    keyPem.fill(0)
  }
}

/** What remains where a key was. */
const NOTHING = Buffer.alloc(0)

async function count(now: Date, db: Store['db']): Promise<CertificateCounts> {
  const [in7Days, in30Days] = [after(now, days(7)).getTime(), after(now, days(30)).getTime()]
  const { all, expired, by7Days, by30Days } = await db
    .selectFrom('certificates')
    .where('is_current', '=', 1)
    .select(({ fn }) => [
      fn.countAll<number>().as('all'),
      fn.countAll<number>().filterWhere('not_after', '<=', now.getTime()).as('expired'),
      fn.countAll<number>().filterWhere('not_after', '<=', in7Days).as('by7Days'),
      fn.countAll<number>().filterWhere('not_after', '<=', in30Days).as('by30Days'),
    ])
    .executeTakeFirstOrThrow()
  return {
    expired,
    under7Days: by7Days - expired,
    under30Days: by30Days - by7Days,
    longer: all - by30Days,
  }
}

function notFound(id: string): CertificateError {
  return new CertificateError('certs/not-found', `There is no certificate ${id} with a key.`)
}
