import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  type CertificateDraft,
  createCertificateCache,
  createCertificateStore,
} from '../../../src/certs/index.ts'
import { type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import { isUniqueViolation, openStore } from '../../../src/store/index.ts'
import { createTestCa, type IssuedCertificate } from '../../support/certificates.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { leave } from '../../support/leave.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { describeEachStore, testStoreDeps } from '../../support/stores.ts'
import { aVault } from '../../support/vaults.ts'

const host = (name: string): Hostname => parseHostname(name) as Hostname
const A = host('a.customer.test')
const B = host('b.customer.test')
const clock = createFakeClock()
const ca = createTestCa({ now: clock.now() })
const inDays = (days: number): Date => new Date(clock.now().getTime() + days * 86_400_000)

function draftOf(issued: IssuedCertificate): CertificateDraft {
  return {
    hostname: host(issued.hostname),
    chainPem: issued.chainPem,
    keyPkcs8Der: issued.keyPkcs8Der,
    renewAt: inDays(60),
    renewBecause: 'two-thirds-used',
    source: 'test-ca',
  }
}

describe('the certificate store', () => {
  describeEachStore((openTestStore) => {
    const setUp = async () => {
      const store = await openTestStore()
      const vault = aVault()
      const certs = createCertificateStore({ store, vault, clock, random: createSeededRandom() })
      const addHost = async (hostname: Hostname): Promise<void> => {
        const at = clock.now().getTime()
        await store.db
          .insertInto('hosts')
          .values({
            ...{ hostname, domain: 'customer.test', state: 'active', checks: '[]' },
            ...{ https_safe: 0, failures: 0, created_at: at, updated_at: at },
          })
          .execute()
      }
      const serve = async (issued: IssuedCertificate) => {
        const saved = await certs.save(draftOf(issued))
        await certs.activate(saved.id)
        return saved
      }
      return { store, vault, certs, addHost, serve }
    }

    it('keeps what was issued, and gives it back as it was', async () => {
      const { certs } = await setUp()
      const issued = ca.issue(A)
      const saved = await certs.save(draftOf(issued))
      expect(saved).toMatchObject({
        ...{ hostname: A, serial: issued.serial, issuer: 'Postern Test Intermediate' },
        ...{ notBefore: issued.notBefore, notAfter: issued.notAfter, renewAt: inDays(60) },
        ...{ chainPem: issued.chainPem, isCurrent: false, createdAt: clock.now() },
      })
      expect(await certs.find(saved.id)).toEqual(saved)
      expect(await certs.current(A)).toBeUndefined()
      expect(await certs.find('nothing')).toBeUndefined()
    })

    it('keeps nothing that may not be used', async () => {
      const { certs, store } = await setUp()
      const bad = { ...draftOf(ca.issue(A)), chainPem: ca.issue(A).chainPem }
      await expect(certs.save(bad)).rejects.toMatchObject({
        ...{ code: 'certs/unusable', check: 'key-matches' },
      })
      expect(await store.db.selectFrom('certificates').selectAll().execute()).toEqual([])
    })

    it('saves in the transaction of its caller, or not at all', async () => {
      const { certs, store } = await setUp()
      const saving = store.transaction(async (trx) => {
        await certs.save({ ...draftOf(ca.issue(A)), id: 'one' }, trx)
        throw new Error('the other half failed')
      })
      await expect(saving).rejects.toThrow('the other half failed')
      expect(await certs.find('one')).toBeUndefined()
    })

    it('refuses the same id twice', async () => {
      const { certs } = await setUp()
      const draft = { ...draftOf(ca.issue(A)), id: 'one' }
      await certs.save(draft)
      const again = await certs.save(draft).catch((error: unknown) => error)
      expect(isUniqueViolation(again)).toBe(true)
    })

    it('has one current certificate per host, the one that was activated last', async () => {
      const { certs, serve } = await setUp()
      const first = await serve(ca.issue(A))
      const second = await serve(ca.issue(A))
      const other = await serve(ca.issue(B))
      await certs.activate(second.id)
      expect(await certs.current(A)).toEqual({ ...second, isCurrent: true })
      expect(await certs.find(first.id)).toEqual({ ...first, isCurrent: false, askAt: undefined })
      expect((await certs.current(B))?.id).toBe(other.id)
      await certs.activate(first.id)
      expect((await certs.current(A))?.id).toBe(first.id)
      await expect(certs.activate('nothing')).rejects.toMatchObject({ code: 'certs/not-found' })
    })

    it('pages through what is served, the first to expire first', async () => {
      const { certs, serve } = await setUp()
      const names = Array.from({ length: 7 }, (_, index) => `h${index}.customer.test`)
      // Two expire at the same time: the cursor must not lose either.
      for (const [index, name] of names.entries()) {
        await serve(ca.issue(name, { notAfter: inDays(70 - Math.floor(index / 2)) }))
      }
      await certs.save(draftOf(ca.issue('not-served.customer.test')))
      const seen: string[] = []
      let after: string | undefined
      do {
        const page = await certs.page({ limit: 2, after })
        expect(page.items.length).toBeLessThanOrEqual(2)
        seen.push(...page.items.map(({ hostname }) => hostname))
        after = page.nextCursor
      } while (after !== undefined)
      expect(seen.toSorted()).toEqual(names)
      expect(seen[0]).toBe('h6.customer.test')
      const soon = await certs.page({ limit: 10, expiringBefore: inDays(69) })
      expect(soon.items.map(({ hostname }) => hostname).toSorted()).toEqual(names.slice(4))
      await expect(certs.page({ limit: 2, after: "' or 1" })).rejects.toMatchObject({
        code: 'certs/bad-cursor',
      })
    })

    it('exports the key that fits the certificate', async () => {
      const { certs, serve } = await setUp()
      const saved = await serve(ca.issue(A))
      const key = createPrivateKey((await certs.exportKey(saved.id)).reveal())
      expect(new X509Certificate(saved.chainPem).checkPrivateKey(key)).toBe(true)
      await expect(certs.exportKey('nothing')).rejects.toMatchObject({ code: 'certs/not-found' })
    })

    it('keeps the key of one predecessor, until the next activation', async () => {
      const { certs, serve } = await setUp()
      const other = await serve(ca.issue(B))
      const first = await serve(ca.issue(A))
      const second = await serve(ca.issue(A))
      await certs.activate(second.id)
      await certs.exportKey(first.id)
      const third = await serve(ca.issue(A))
      await expect(certs.exportKey(first.id)).rejects.toMatchObject({ code: 'certs/key-destroyed' })
      for (const { id } of [second, third, other]) await certs.exportKey(id)
    })

    it('does not open a key that was moved to the row of another host', async () => {
      const { certs, store, serve } = await setUp()
      const [a, b] = [await serve(ca.issue(A)), await serve(ca.issue(B))]
      const { sealed_key } = await store.db
        .selectFrom('certificates')
        .select('sealed_key')
        .where('id', '=', a.id)
        .executeTakeFirstOrThrow()
      await store.db
        .updateTable('certificates')
        .set({ sealed_key })
        .where('id', '=', b.id)
        .execute()
      await expect(certs.exportKey(b.id)).rejects.toMatchObject({ code: 'vault/cannot-open' })
      await certs.exportKey(a.id)
    })

    it('counts what is served by the time it has left', async () => {
      const { certs, serve } = await setUp()
      for (const [index, days] of [1, 6, 8, 29, 31, 80].entries()) {
        await serve(ca.issue(`h${index}.customer.test`, { notAfter: inDays(days) }))
      }
      await certs.save(draftOf(ca.issue(A)))
      expect(await certs.count()).toEqual({
        ...{ expired: 0, under7Days: 2, under30Days: 2, longer: 2, revoked: 0 },
        bySource: [{ source: 'test-ca', keyType: 'ec', certificates: 6 }],
      })
      const later = createFakeClock(inDays(7).toISOString())
      const { store, vault } = await setUp()
      const empty = createCertificateStore({
        ...{ store, vault, clock: later, random: createSeededRandom() },
      })
      expect(await empty.count()).toEqual({
        ...{ expired: 0, under7Days: 0, under30Days: 0, longer: 0, revoked: 0, bySource: [] },
      })
    })

    it('feeds the cache of the edge: served, renewed, retired', async () => {
      const { store, vault, addHost, serve } = await setUp()
      await addHost(A)
      const cache = createCertificateCache({ hot: store.hot, vault, clock }, { bytesMax: 1e6 })
      const first = await serve(ca.issue(A))
      expect(await cache.contextFor(A)).toMatchObject({
        ...{ certificateId: first.id, serial: first.serial, notAfter: first.notAfter },
      })
      const second = await serve(ca.issue(A))
      cache.forget(A)
      expect(await cache.contextFor(A)).toMatchObject({ certificateId: second.id })
      await leave(store, A)
      cache.forget(A)
      expect(await cache.contextFor(A)).toBeUndefined()
    })
  })
})

describe('a database file', () => {
  it('shows no private key to whoever steals it', async () => {
    await using cleaning = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'postern-stolen-'))
    cleaning.defer(() => rm(folder, { recursive: true }))
    const path = join(folder, 'postern.sqlite')
    const store = cleaning.use(await openStore({ url: `sqlite:${path}` }, testStoreDeps()))
    const certs = createCertificateStore({
      ...{ store, vault: aVault(), clock, random: createSeededRandom() },
    })
    const readEverything = async (): Promise<Buffer> => {
      const names = await readdir(folder)
      return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))))
    }
    const issued = ca.issue(A)
    const { id } = await certs.save(draftOf(issued))
    await certs.activate(id)
    await certs.exportKey(id)
    const stolen = await readEverything()
    const scalar = Buffer.from(issued.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url')
    expect(stolen.includes(issued.serial)).toBe(true)
    for (const trace of [scalar, issued.keyPkcs8Der, 'PRIVATE KEY', issued.keyPem.slice(28, 80)]) {
      expect(stolen.includes(trace)).toBe(false)
    }
  })
})
