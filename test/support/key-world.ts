import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openOrderKey } from '../../src/acme/order-key.ts'
import { type RunningKeys, startKeys } from '../../src/app/key-rotation/start-keys.ts'
import { joinNodes, type Nodes } from '../../src/app/nodes.ts'
import { openKeys } from '../../src/app/open-keys.ts'
import { keyContext } from '../../src/certs/certificate-row.ts'
import { openSigningKey } from '../../src/events/signing-key.ts'
import { type Clock, systemClock, systemRandom } from '../../src/kernel/index.ts'
import { openStore, type Store } from '../../src/store/index.ts'
import {
  createAppRecord,
  createMetrics,
  createVaultRecord,
  openLog,
} from '../../src/telemetry/index.ts'
import { createLinkKeys } from '../../src/tracking/index.ts'
import { type KeyRing, keysOf, toSealedBytes, type Vault } from '../../src/vault/index.ts'
import { vaultOptions } from '../../src/vault/options.ts'
import { aHostname } from './api-world.ts'
import { newKey } from './certificates.ts'
import { createSeededRandom } from './seeded-random.ts'
import { aCertificateRow } from './store-rows.ts'
import { testStoreDeps } from './stores.ts'

/** The keys of one server, running on a real store and a real key file; no edge, no API. */
export interface KeyWorld extends AsyncDisposable {
  readonly store: Store
  readonly vault: Vault
  readonly keys: RunningKeys
  readonly nodes: Nodes | undefined
  /** What the edge was last given. */
  readonly edgeRings: readonly KeyRing[]
  readonly logLines: string[]
}

export interface KeyWorldOptions {
  readonly storeUrl: string
  /** `vault.key` */
  readonly key: string
  readonly variables?: Record<string, string>
  readonly clock?: Clock
  /** What a test does to the store, or to the edge. */
  readonly wrapStore?: (store: Store) => Store
  readonly useKeyRing?: (ring: KeyRing) => Promise<void>
  readonly nodeName?: string
}

/** Waits are short: nobody has to wait for those who are on their way. */
const impatientClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 20), signal),
}

/** As `startApp` does it, without what is not about keys. */
export async function startKeyWorld(options: KeyWorldOptions): Promise<KeyWorld> {
  const { storeUrl, variables = {}, clock = impatientClock, nodeName } = options
  await using starting = new AsyncDisposableStack()
  const logLines: string[] = []
  const log = openLog(
    { level: 'debug', pretty: false },
    {},
    { write: (line) => void logLines.push(line) },
  )
  const metrics = createMetrics()
  const records = {
    vault: createVaultRecord({ log, metrics }),
    app: createAppRecord({ log, metrics }),
  }
  const environment = {
    take: (name: string) => {
      const value = variables[name]
      delete variables[name]
      return value
    },
  }
  const config = { store: { url: storeUrl }, vault: vaultOptions.parse({ key: options.key }) }
  const opened = await openKeys(
    config,
    { clock, variables: environment, record: records.vault },
    AbortSignal.timeout(20_000),
  )
  const { vault, keyRing, wanted } = opened
  const real = starting.use(await openStore(config.store, testStoreDeps()))
  const store = options.wrapStore?.(real) ?? real
  await opened.noteKeys(store)
  const nodes =
    nodeName === undefined
      ? undefined
      : starting.use(
          await joinNodes({
            ...{ store, clock: systemClock, record: records.app, keys: vault },
            ...{ nodeId: nodeName, name: nodeName },
          }),
        )
  const edgeRings: KeyRing[] = []
  const fleet = {
    useKeyRing: async (ring: KeyRing) => {
      await options.useKeyRing?.(ring)
      edgeRings.push({ current: ring.current, byId: ring.byId })
    },
  }
  const keys = starting.use(
    startKeys(
      {
        ...{ store, vault, keyRing, wanted, fleet, nodes, clock, records },
        ...{ variables: environment, random: systemRandom },
      },
      config.vault,
    ),
  )
  const running = starting.move()
  return {
    ...{ store, vault, keys, nodes, edgeRings, logLines },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** A folder with a key file of one key. */
export async function aKeyFolder(): Promise<{ folder: string; file: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-rotation-'))
  const file = join(folder, 'master.key')
  await writeKeys(file, 1)
  return { folder, file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

/** Writes keys that are one repeated byte each. */
export async function writeKeys(file: string, ...fill: readonly number[]): Promise<void> {
  const lines = fill.map((byte) => `${Buffer.alloc(32, byte).toString('base64')}\n`)
  await writeFile(file, lines.join(''), { mode: 0o600 })
}

/** The lines of a key file. */
export async function readKeys(file: string): Promise<readonly string[]> {
  return (await readFile(file, 'utf8')).trim().split('\n')
}

/** Waits until no rotation is under way, and tells how it ended. */
export async function rotationEnd({ keys }: KeyWorld) {
  for (let looks = 0; looks < 1000; looks += 1) {
    const status = await keys.rotation.status()
    if (status.rotation?.finishedAt) return status
    await systemClock.sleep(20)
  }
  throw new Error(`no end: ${JSON.stringify(await keys.rotation.status())}`)
}

/** How many secrets rest under which key, current first. */
export async function secretsByKey({ keys }: KeyWorld): Promise<Record<string, number>> {
  const { keys: uses } = await keys.rotation.status()
  return Object.fromEntries(uses.map(({ keyId, secrets }) => [keyId, secrets]))
}

export function idsIn(ring: KeyRing): readonly string[] {
  return keysOf(ring).map(({ id }) => id)
}

/** Seals `count` certificates and orders, and one secret of each other kind. */
export async function sealSecrets(
  { store, vault }: Pick<KeyWorld, 'store' | 'vault'>,
  count: number,
  prefix = 'host',
): Promise<void> {
  const { db } = store
  await createLinkKeys({
    ...{ store, vault, clock: systemClock, random: createSeededRandom(prefix) },
  }).ensure()
  await db
    .insertInto('acme_accounts')
    .values({
      ...{ id: `${prefix}-account`, directory_url: DIRECTORY(prefix), url: null, created_at: 1 },
      sealed_key: vault.seal(PLAIN, accountContext(prefix)),
    })
    .execute()
  await db
    .insertInto('ticket_secrets')
    .values({
      ...{ id: prefix, starts_at: 1, created_at: 1 },
      sealed: vault.seal(PLAIN, ticketContext(prefix)),
    })
    .execute()
  const { sealed } = sealWebhookKey(vault, prefix)
  await db
    .insertInto('webhooks')
    .values({ account: prefix, url: 'https://x.test/', sealed_key: sealed, created_at: 1 })
    .execute()
  const numbers = Array.from({ length: count }, (_, index) => index)
  for (let start = 0; start < count; start += 100) {
    const some = numbers.slice(start, start + 100)
    await db
      .insertInto('certificates')
      .values(some.map((n) => certificateRow(vault, `${prefix}-${n}`)))
      .execute()
    await db
      .insertInto('acme_orders')
      .values(some.map((n) => orderRow(vault, `${prefix}-${n}`, `${prefix}-account`)))
      .execute()
  }
  await db
    .insertInto('certificates')
    .values(
      aCertificateRow({
        ...{ id: `${prefix}-destroyed`, serial: `${prefix}-destroyed`, is_current: 0 },
        sealed_key: Buffer.alloc(0),
      }),
    )
    .execute()
}

/** How many of them open, each in the place and by the code that uses it. Throws at the first that does not. */
export async function openSecrets({
  store,
  vault,
}: Pick<KeyWorld, 'store' | 'vault'>): Promise<number> {
  const { db } = store
  let opened = 0
  for (const row of await db.selectFrom('certificates').selectAll().execute()) {
    if (row.sealed_key.length === 0) continue
    vault.open(toSealedBytes(row.sealed_key), keyContext(aHostname(row.hostname), row.id))
    opened += 1
  }
  for (const row of await db.selectFrom('acme_orders').selectAll().execute()) {
    openOrderKey({ hostname: row.hostname, id: row.id, sealedKey: row.sealed_key }, vault)
    opened += 1
  }
  for (const row of await db.selectFrom('acme_accounts').selectAll().execute()) {
    vault.open(toSealedBytes(row.sealed_key), {
      ...accountContext(''),
      owner: row.directory_url,
    })
    opened += 1
  }
  for (const row of await db.selectFrom('webhooks').selectAll().execute()) {
    openSigningKey(vault, row.account, toSealedBytes(row.sealed_key))
    opened += 1
  }
  for (const row of await db.selectFrom('ticket_secrets').selectAll().execute()) {
    vault.open(toSealedBytes(row.sealed), ticketContext(row.id))
    opened += 1
  }
  const links = createLinkKeys({ store, vault, clock: systemClock, random: systemRandom })
  await links.reload()
  return opened + links.all().size
}

const PLAIN = newKey().export({ format: 'der', type: 'pkcs8' })
const DIRECTORY = (prefix: string): string => `https://${prefix}.ca.test/directory`
const accountContext = (prefix: string) =>
  ({ purpose: 'acme-account-key', owner: DIRECTORY(prefix), version: 1 }) as const
const ticketContext = (owner: string) => ({ purpose: 'ticket-secret', owner, version: 1 }) as const

function sealWebhookKey(vault: Vault, account: string) {
  return { sealed: vault.seal(PLAIN, { purpose: 'webhook-key', owner: account, version: 1 }) }
}

/** A certificate of its own host, sealed. */
export function certificateRow(vault: Vault, name: string) {
  const hostname = aHostname(`${name}.test`)
  return aCertificateRow({
    ...{ id: name, hostname, serial: name, is_current: 0 },
    sealed_key: vault.seal(PLAIN, keyContext(hostname, name)),
  })
}

function orderRow(vault: Vault, name: string, accountId: string) {
  const hostname = `${name}.test`
  const context = {
    purpose: 'certificate-key',
    owner: `${hostname}/order/${name}`,
    version: 1,
  } as const
  return {
    ...{ id: name, account_id: accountId, hostname, state: 'failed', url: null, problem: null },
    ...{ certificate_id: null, created_at: 1, updated_at: 1, authorizations: null },
    sealed_key: vault.seal(PLAIN, context),
  }
}
