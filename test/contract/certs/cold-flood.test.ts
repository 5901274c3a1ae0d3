import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { warmContexts } from '../../../src/app/fleet/warm-contexts.ts'
import { createCertificateCache } from '../../../src/certs/index.ts'
import { type Hostname, parseHostname, systemClock } from '../../../src/kernel/index.ts'
import type { ServedCertificateRow } from '../../../src/store/index.ts'
import { createTestCa } from '../../support/certificates.ts'
import { aVault } from '../../support/vaults.ts'

// Real contexts, of a certificate that is everybody's: what is tried is who waits for whom.

const COLD = 400
const MEGABYTE = 1024 * 1024
const issued = createTestCa().issue('email.customer.test')
const vault = aVault()

function aCache() {
  let built = 0
  const row = (hostname: string): ServedCertificateRow => ({
    ...{ id: 'c1', serial: issued.serial, not_after: issued.notAfter.getTime() },
    ...{ chain_pem: issued.chainPem, key_type: 'ec', revoked_at: null },
    sealed_key: vault.seal(Buffer.from(issued.keyPem), {
      ...({ purpose: 'certificate-key', version: 1 } as const),
      owner: `${hostname}/c1`,
    }),
  })
  const rows = new Map(hosts(COLD + 1).map((hostname) => [hostname, row(hostname)]))
  const cache = createCertificateCache(
    {
      hot: { servedCertificate: async (hostname: string) => rows.get(hostname as Hostname) },
      vault,
      clock: systemClock,
      record: {
        contextBuilt: () => {
          built += 1
        },
        contextKept: () => expect.unreachable(),
        certificateUnusable: () => expect.unreachable(),
        contextsCached: () => undefined,
      },
    },
    { bytesMax: 64 * MEGABYTE },
  )
  return { cache, built: () => built }
}

const hosts = (count: number) =>
  Array.from({ length: count }, (_, n) => parseHostname(`h${n}.test`) as Hostname)

it('a flood of cold hosts leaves every turn of the loop to those that are warm', async () => {
  const { cache, built } = aCache()
  const [warm, ...cold] = hosts(COLD + 1)
  if (!warm) throw new TypeError('There is no host')
  await cache.contextFor(warm)
  const flood = Promise.all(cold.map(async (hostname) => cache.contextFor(hostname)))
  const perTurn: number[] = []
  for (let before = built(); built() < COLD + 1; before = built()) {
    await setImmediate()
    perTurn.push(built() - before)
    // Not a promise: whoever is warm is served in the turn in which he comes.
    expect(cache.contextFor(warm)).toMatchObject({ serial: issued.serial })
  }
  // The first turn has those that came in it, and the first of those that wait.
  const [first, ...others] = perTurn
  expect(first).toBeLessThanOrEqual(16)
  expect(Math.max(...others)).toBeLessThanOrEqual(8)
  expect((await flood).every((served) => served?.serial === issued.serial)).toBe(true)
})

it('a host that comes amid a warming waits for it no longer than a turn', async () => {
  const { cache, built } = aCache()
  const all = hosts(COLD)
  const warmed = Promise.withResolvers<number>()
  const record = {
    contextsWarmed: (facts: { warmed: number }) => warmed.resolve(facts.warmed),
    warmingFailed: ({ error }: { error: unknown }) => warmed.reject(error),
  }
  const visits = { latest: async (limit: number) => all.slice(0, Math.min(limit, COLD - 1)) }
  await using warming = warmContexts({ visits, certificates: cache, record })
  expect(warming).toBeDefined()
  await setImmediate()
  const before = built()
  const last = all.at(-1)
  if (!last) throw new TypeError('There is no host')
  await cache.contextFor(last)
  expect(built() - before).toBeLessThanOrEqual(3)
  expect(await warmed.promise).toBe(COLD - 1)
  expect(cache.size).toBe(COLD)
})

it('a warming ends where it is when its process does', async () => {
  const { cache, built } = aCache()
  const record = {
    contextsWarmed: () => expect.unreachable(),
    warmingFailed: () => expect.unreachable(),
  }
  const warming = warmContexts({
    ...{ visits: { latest: async () => hosts(COLD) }, certificates: cache, record },
  })
  await setImmediate()
  await warming[Symbol.asyncDispose]()
  expect(built()).toBeLessThan(10)
})
