import { openKeys } from '../../src/app/open-keys.ts'
import { systemClock, systemRandom } from '../../src/kernel/index.ts'
import { openStore, type Store } from '../../src/store/index.ts'
import {
  createMetrics,
  createStoreRecord,
  createVaultRecord,
  openLog,
} from '../../src/telemetry/index.ts'
import type { Vault } from '../../src/vault/index.ts'
import type { IssuedCertificate, TestCa } from '../../test/support/certificates.ts'
import { makeDirectory } from '../../test/support/postern.ts'

/** The tracking host of customer `index`, in every bench. */
export function hostnameOf(index: number): string {
  return `email.customer-${index}.test`
}

export interface PreparedStore {
  readonly hosts: number
  /** The CA of all certificates. */
  readonly ca: TestCa
  /** Certificates of the first hosts; the ones after them share these. */
  readonly issued: readonly IssuedCertificate[]
  /** Further hosts, after the others, that have no certificate yet. */
  readonly bareHosts?: number
}

/** Certificates made anew; the other hosts share them (a worker reads none of those). */
const DISTINCT_CERTIFICATES = 100
const BATCH_ROWS = 500

/** One for each of the first hosts. */
export function issueCertificates(ca: TestCa): readonly IssuedCertificate[] {
  return Array.from({ length: DISTINCT_CERTIFICATES }, (_, index) => ca.issue(hostnameOf(index)))
}

/**
 * A directory with a SQLite store of many hosts, each with a certificate sealed by the real vault.
 * Hosts after the first hundred have the certificates of those, so that 100,000 take seconds; the
 * very last has one of its own.
 */
export async function prepareStore(prepared: PreparedStore): Promise<string> {
  const directory = await makeDirectory()
  const telemetry = { log: openLog({ level: 'silent' }), metrics: createMetrics() }
  const clock = systemClock
  const location = { url: `sqlite:${directory}/postern.sqlite` }
  const { vault, noteKeys } = await openKeys(
    { store: location, vault: { key: [{ scheme: 'file', rest: `${directory}/master.key` }] } },
    { clock, variables: { take: () => undefined }, record: createVaultRecord(telemetry) },
    new AbortController().signal,
  )
  const record = createStoreRecord(telemetry)
  await using store = await openStore(location, { clock, record, role: 'server' })
  await noteKeys(store)
  await insertHosts(store, vault, prepared)
  return directory
}

async function insertHosts(
  store: Store,
  vault: Vault,
  { hosts, ca, issued, bareHosts = 0 }: PreparedStore,
): Promise<void> {
  const certificateOf = (index: number): IssuedCertificate => {
    const shared = issued[index % issued.length]
    return index < issued.length && shared
      ? shared
      : ((index === hosts - 1 ? undefined : shared) ?? ca.issue(hostnameOf(index)))
  }
  for (let from = 0; from < hosts + bareHosts; from += BATCH_ROWS) {
    const count = Math.min(BATCH_ROWS, hosts + bareHosts - from)
    const indexes = Array.from({ length: count }, (_, index) => from + index)
    const rows = indexes
      .filter((index) => index < hosts)
      .map((index) => certificateRow(index, certificateOf(index), vault))
    await store.transaction(async (trx) => {
      await trx.insertInto('hosts').values(indexes.map(hostRow)).execute()
      if (rows.length > 0) await trx.insertInto('certificates').values(rows).execute()
    })
  }
}

function hostRow(index: number) {
  const now = systemClock.now().getTime()
  return {
    ...{ hostname: hostnameOf(index), domain: `customer-${index}.test`, state: 'active' },
    ...{ reason_code: null, reason_sentence: null, reason_fix: null, checks: '[]' },
    ...{ https_safe: 1, failures: 0, next_attempt_at: now + 86_400_000 * (20 + (index % 30)) },
    ...{ created_at: now, updated_at: now, lease_holder: null, lease_until: null },
  }
}

function certificateRow(index: number, issued: IssuedCertificate, vault: Vault) {
  const hostname = hostnameOf(index)
  const id = systemRandom.bytes(16).toString('hex')
  return {
    ...{ id, hostname, serial: issued.serial, issuer: 'Test' },
    not_before: issued.notBefore.getTime(),
    not_after: issued.notAfter.getTime(),
    renew_at: issued.notBefore.getTime() + 86_400_000 * 60,
    renew_because: 'two-thirds-used',
    chain_pem: issued.chainPem,
    sealed_key: vault.seal(Buffer.from(issued.keyPem), {
      purpose: 'certificate-key',
      owner: `${hostname}/${id}`,
      version: 1,
    }),
    ...{ source: 'bench', key_type: 'ec', is_current: 1, created_at: issued.notBefore.getTime() },
  }
}
