import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type CertificateDraft, createCertificateStore } from '../../../src/certs/index.ts'
import {
  type Duration,
  type Hostname,
  hours,
  minutes,
  parseHostname,
} from '../../../src/kernel/index.ts'
import {
  createTestCa,
  type IssuedCertificate,
  type LeafWishes,
} from '../../support/certificates.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { leave } from '../../support/leave.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { aCertificateRow } from '../../support/store-rows.ts'
import { describeEachStore } from '../../support/stores.ts'
import { aVault } from '../../support/vaults.ts'

const host = (name: string): Hostname => parseHostname(name) as Hostname
const A = host('a.customer.test')
const B = host('b.customer.test')
const DAY_MS = 86_400_000

describeEachStore((openTestStore) => {
  const setUp = async () => {
    const clock = createFakeClock()
    const ca = createTestCa({ now: clock.now() })
    const inDays = (days: number): Date => new Date(clock.now().getTime() + days * DAY_MS)
    const store = await openTestStore()
    const deps = { store, vault: aVault(), clock, random: createSeededRandom() }
    const certs = createCertificateStore(deps)
    const draftOf = (issued: IssuedCertificate): CertificateDraft => ({
      hostname: host(issued.hostname),
      chainPem: issued.chainPem,
      keyPkcs8Der: issued.keyPkcs8Der,
      renewAt: inDays(60),
      renewBecause: 'two-thirds-used',
      source: 'test-ca',
    })
    const save = (hostname: Hostname, wishes?: LeafWishes) =>
      certs.save(draftOf(ca.issue(hostname, wishes)))
    const serve = async (hostname: Hostname, wishes?: LeafWishes) => {
      const saved = await save(hostname, wishes)
      await certs.activate(saved.id)
      return saved
    }
    const bring = async (hostname: Hostname, wishes?: LeafWishes) => {
      const { chainPem: chain, keyPem: key } = ca.issue(hostname, wishes)
      return certs.importOwn({ hostname, upload: { pem: { chain, key } } })
    }
    const hasKey = async (id: string): Promise<boolean> =>
      certs.exportKey(id).then(
        () => true,
        () => false,
      )
    return { ca, certs, clock, store, inDays, save, serve, bring, hasKey, deps }
  }

  describe('a certificate that waits', () => {
    it('is the newest that was never put to use', async () => {
      const { certs, clock, save, serve } = await setUp()
      expect(await certs.waiting(A)).toBeUndefined()
      await serve(A)
      expect(await certs.waiting(A)).toBeUndefined()
      await save(B)
      await save(A)
      await clock.advance(1000)
      const newest = await save(A)
      expect(await certs.waiting(A)).toEqual(newest)
      await certs.activate(newest.id)
      expect(await certs.waiting(A)).toBeUndefined()
    })

    it('is no predecessor, none that expired, was revoked or discarded', async () => {
      const { certs, clock, inDays, save, serve, hasKey } = await setUp()
      const first = await serve(A)
      await serve(A)
      expect(await certs.waiting(A)).toBeUndefined()
      expect(await hasKey(first.id)).toBe(true)
      await certs.markRevoked((await save(A)).id)
      expect(await certs.waiting(A)).toBeUndefined()
      const unwanted = await save(A)
      await certs.discard(unwanted.id)
      await certs.discard(unwanted.id)
      expect(await certs.waiting(A)).toBeUndefined()
      expect(await hasKey(unwanted.id)).toBe(false)
      await save(A, { notAfter: inDays(2) })
      expect(await certs.waiting(A)).toBeDefined()
      await clock.advance(3 * DAY_MS)
      expect(await certs.waiting(A)).toBeUndefined()
    })

    it('is not hidden by an upload that nobody put to use', async () => {
      const { certs, clock, save, serve, bring } = await setUp()
      await serve(A)
      const renewed = await save(A)
      await clock.advance(1000)
      const upload = await bring(A)
      expect(await certs.waiting(A)).toEqual(renewed)
      expect(await certs.waiting(A, 'acme')).toEqual(renewed)
      expect(await certs.waiting(A, 'customer')).toEqual(upload)
    })

    it('cannot be discarded once it is served', async () => {
      const { certs, serve, hasKey } = await setUp()
      const served = await serve(A)
      await expect(certs.discard(served.id)).rejects.toMatchObject({ code: 'certs/in-use' })
      expect(await hasKey(served.id)).toBe(true)
    })
  })

  describe('a revoked certificate', () => {
    it('stays in use until it is replaced, and loses its key then', async () => {
      const { certs, clock, serve, hasKey } = await setUp()
      const served = await serve(A)
      await certs.markRevoked(served.id)
      const revokedAt = clock.now()
      await clock.advance(1000)
      await certs.markRevoked(served.id)
      expect(await certs.current(A)).toMatchObject({ id: served.id, revokedAt, askAt: undefined })
      expect((await certs.count()).revoked).toBe(1)
      expect(await hasKey(served.id)).toBe(true)
      await serve(A)
      expect(await hasKey(served.id)).toBe(false)
      expect((await certs.count()).revoked).toBe(0)
      await expect(certs.markRevoked('nothing')).rejects.toMatchObject({ code: 'certs/not-found' })
    })
  })

  describe('the questions to a CA', () => {
    const claim = (leaseFor: Duration = minutes(10)) => ({ limit: 10, leaseFor })

    it('are due at once, of what is in use and of what waits, and are asked by one node', async () => {
      const { certs, clock, deps, save, serve } = await setUp()
      const [served, waiting] = [await serve(A), await save(B)]
      const other = createCertificateStore(deps)
      const [one, two] = await Promise.all([
        certs.claimQuestions(claim()),
        other.claimQuestions(claim()),
      ])
      const ids = [...one, ...two].map(({ id }) => id)
      expect(ids.toSorted()).toEqual([served.id, waiting.id].toSorted())
      expect(await certs.claimQuestions(claim())).toEqual([])
      // Nobody came back with an answer: they are asked again.
      await clock.advance(minutes(10))
      expect(await certs.claimQuestions(claim())).toHaveLength(2)
    })

    it('come with what is known, and again when the answer says so', async () => {
      const { certs, clock, inDays, serve } = await setUp()
      const { id } = await serve(A)
      const plan = {
        renewAt: inDays(55),
        renewBecause: 'ca-suggested-it',
        window: { start: inDays(54), end: inDays(56) },
        explanationUrl: 'https://ca.test/why',
        askAt: inDays(1),
      }
      expect(await certs.plan(id, plan)).toBe(true)
      expect(await certs.plan('nothing', plan)).toBe(false)
      expect(await certs.current(A)).toMatchObject(plan)
      expect(await certs.claimQuestions(claim())).toEqual([])
      await clock.advance(DAY_MS)
      expect(await certs.claimQuestions(claim())).toMatchObject([
        { ...plan, askAt: new Date(clock.now().getTime() + minutes(10)) },
      ])
      await certs.plan(id, {
        ...plan,
        window: undefined,
        explanationUrl: undefined,
        askAt: undefined,
      })
      await clock.advance(30 * DAY_MS)
      expect(await certs.claimQuestions(claim())).toEqual([])
      expect(await certs.current(A)).toMatchObject({ window: undefined, askAt: undefined })
    })

    it('end with the certificate: superseded, expired, discarded, or its host has left', async () => {
      const { certs, clock, store, inDays, save, serve } = await setUp()
      await serve(A)
      const second = await serve(A)
      await certs.discard((await save(A)).id)
      await serve(B, { notAfter: inDays(1) })
      await serve(host('left.customer.test'))
      await leave(store, host('left.customer.test'))
      await clock.advance(2 * DAY_MS)
      expect((await certs.claimQuestions(claim())).map(({ id }) => id)).toEqual([second.id])
      const asked = await store.db
        .selectFrom('certificates')
        .select('id')
        .where('ask_at', 'is not', null)
        .execute()
      expect(asked).toEqual([{ id: second.id }])
    })

    it('are claimed no more than wanted, the longest due first', async () => {
      const { certs, clock, save } = await setUp()
      const first = await save(host('h0.customer.test'))
      await clock.advance(1)
      for (const name of ['h1', 'h2']) await save(host(`${name}.customer.test`))
      const claimed = await certs.claimQuestions({ limit: 1, leaseFor: minutes(1) })
      expect(claimed.map(({ id }) => id)).toEqual([first.id])
    })
  })

  describe('what nobody needs any more', () => {
    const signal = new AbortController().signal

    it('is removed: what ended 90 days ago, but the latest three of each host', async () => {
      const { certs, clock, store, inDays, serve, save } = await setUp()
      const ids: string[] = []
      for (let count = 0; count < 6; count += 1) {
        ids.push((await serve(A, { notAfter: inDays(9) })).id)
        await clock.advance(6 * DAY_MS)
      }
      const only = await serve(B, { notAfter: inDays(9) })
      // It waits, and has ended meanwhile.
      const waits = await save(B, { notAfter: inDays(9) })
      const kept = async (): Promise<readonly string[]> =>
        (await store.db.selectFrom('certificates').select('id').execute()).map(({ id }) => id)
      await clock.advance(60 * DAY_MS)
      expect(await certs.prune(signal)).toEqual({ removed: 0, orphaned: 0 })
      await clock.advance(60 * DAY_MS)
      expect(await certs.prune(signal)).toEqual({ removed: 3, orphaned: 0 })
      expect((await kept()).toSorted()).toEqual([...ids.slice(3), only.id, waits.id].toSorted())
      expect(await certs.prune(signal)).toEqual({ removed: 0, orphaned: 0 })
      expect((await certs.current(A))?.id).toBe(ids[5])
    })

    it('is found behind thousands that are kept, in steps', async () => {
      const { certs, clock, store } = await setUp()
      const endedMs = clock.now().getTime() - 200 * DAY_MS
      const rows = Array.from({ length: 400 }, (_, host) =>
        [0, 1, 2, 3].map((age) =>
          aCertificateRow({
            ...{ id: `${host}-${age}`, hostname: `h${host}.test`, serial: `${host}-${age}` },
            ...{ is_current: 0, sealed_key: Buffer.alloc(0), created_at: endedMs - age * DAY_MS },
            not_after: endedMs - host * 1000,
          }),
        ),
      ).flat()
      for (let start = 0; start < rows.length; start += 400) {
        await store.db
          .insertInto('certificates')
          .values(rows.slice(start, start + 400))
          .execute()
      }
      expect(await certs.prune(signal)).toEqual({ removed: 400, orphaned: 0 })
      const left = await store.db.selectFrom('certificates').select('id').execute()
      expect(left.filter(({ id }) => id.endsWith('-3'))).toEqual([])
      expect(left).toHaveLength(1200)
    })

    it('is the key of an upload that was not put to use, after an hour', async () => {
      const { certs, clock, bring, save, hasKey } = await setUp()
      const [used, lost] = [await bring(B), await bring(A)]
      await certs.activate(used.id)
      const waits = await save(A)
      await clock.advance(hours(1))
      expect(await certs.prune(signal)).toEqual({ removed: 0, orphaned: 0 })
      await clock.advance(minutes(1))
      expect(await certs.prune(signal)).toEqual({ removed: 0, orphaned: 1 })
      expect(await certs.prune(signal)).toEqual({ removed: 0, orphaned: 0 })
      expect(await hasKey(lost.id)).toBe(false)
      expect(await certs.waiting(A, 'customer')).toBeUndefined()
      expect(await certs.waiting(A)).toEqual(waits)
      expect(await hasKey(used.id)).toBe(true)
    })
  })

  it('renewals are counted by the hour and the lifetime, those that are ours to renew', async () => {
    const { certs, clock, inDays, serve, save, bring } = await setUp()
    const hour = clock.now()
    const planFor = async (hostname: Hostname, ms: number, wishes?: LeafWishes): Promise<void> => {
      const { id, window, explanationUrl, askAt } = await serve(hostname, wishes)
      const renewAt = new Date(hour.getTime() + ms)
      await certs.plan(id, { renewAt, renewBecause: 'x', window, explanationUrl, askAt })
    }
    const short = { notBefore: hour, notAfter: new Date(hour.getTime() + hours(160) - 1000) }
    const long = { notBefore: hour, notAfter: new Date(inDays(90).getTime() - 1000) }
    await planFor(host('a0.customer.test'), 1, long)
    await planFor(host('a1.customer.test'), hours(1) - 1, long)
    await planFor(host('a2.customer.test'), 5, short)
    await planFor(host('a3.customer.test'), hours(1), short)
    await planFor(host('a4.customer.test'), -1, long)
    await planFor(host('a5.customer.test'), hours(2), long)
    await save(host('a6.customer.test'))
    const own = await bring(host('a7.customer.test'))
    await certs.activate(own.id)
    const until = new Date(hour.getTime() + hours(2))
    const next = new Date(hour.getTime() + hours(1))
    expect(await certs.renewalsByHour({ from: hour, until })).toEqual([
      { hourStart: hour, certificates: 1, lifetimeMs: hours(160) },
      { hourStart: hour, certificates: 2, lifetimeMs: 90 * DAY_MS },
      { hourStart: next, certificates: 1, lifetimeMs: hours(160) },
    ])
  })

  describe("a customer's own certificate", () => {
    it('is kept with its key, is nobody else to renew, and waits to be put to use', async () => {
      const { certs, bring } = await setUp()
      const own = await bring(A)
      expect(own).toMatchObject({ source: 'customer', keyType: 'ec', isCurrent: false })
      expect(own.renewAt).toEqual(own.notAfter)
      expect(await certs.waiting(A)).toEqual(own)
      await certs.activate(own.id)
      expect(await certs.claimQuestions({ limit: 10, leaseFor: minutes(1) })).toEqual([])
      expect((await certs.count()).bySource).toEqual([
        { source: 'customer', keyType: 'ec', certificates: 1 },
      ])
    })

    it('comes as PKCS#12 with an RSA key, and goes out as such', async () => {
      const { ca, certs, deps } = await setUp()
      const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
      const chain = ca.issue(A, { privateKey }).chainPem
      const key = privateKey.export({ format: 'pem', type: 'pkcs1' }).toString()
      const own = await certs.importOwn({ hostname: A, upload: { pem: { chain, key } } })
      const file = (await certs.exportPkcs12(own.id, 'long enough')).reveal()
      const again = createCertificateStore(deps)
      const upload = { pkcs12: Buffer.from(file), password: 'long enough' }
      const back = await again.importOwn({ hostname: A, upload })
      expect(back).toMatchObject({ serial: own.serial, chainPem: own.chainPem, keyType: 'rsa' })
      const found = createPrivateKey((await certs.exportKey(back.id)).reveal())
      expect(found.equals(privateKey)).toBe(true)
      await expect(certs.exportPkcs12(own.id, 'short')).rejects.toMatchObject({
        code: 'certs/bad-password',
      })
    })

    it('that is no good is not kept', async () => {
      const { certs, store, ca, bring } = await setUp()
      await expect(bring(A, { names: ['www.customer.test'] })).rejects.toMatchObject({
        ...{ code: 'certs/bad-upload', check: 'names-host' },
      })
      const pkcs12 = Buffer.from(ca.issue(A).chainPem)
      await expect(
        certs.importOwn({ hostname: A, upload: { pkcs12, password: 'x' } }),
      ).rejects.toMatchObject({ code: 'certs/bad-upload', check: 'readable' })
      const tooLarge = { pkcs12: Buffer.alloc(200 * 1024), password: 'x' }
      await expect(certs.importOwn({ hostname: A, upload: tooLarge })).rejects.toMatchObject({
        check: 'size',
      })
      expect(await store.db.selectFrom('certificates').select('id').execute()).toEqual([])
    })

    it('is warned of before its end, each time once, and never when it is ours', async () => {
      const { certs, clock, inDays, serve, bring } = await setUp()
      await serve(B, { notAfter: inDays(5) })
      const [soon, later] = [
        await bring(A, { notAfter: inDays(20) }),
        await bring(host('c.customer.test'), { notAfter: inDays(40) }),
      ]
      await certs.activate(soon.id)
      await certs.activate(later.id)
      const due = async () =>
        (await certs.expiringOwn({ limit: 10 })).map(({ certificate, days }) => [
          certificate.hostname,
          days,
        ])
      expect(await due()).toEqual([[A, 30]])
      await certs.markWarned(soon.id, 30)
      expect(await due()).toEqual([])
      await clock.advance(14 * DAY_MS)
      expect(await due()).toEqual([
        [A, 7],
        [later.hostname, 30],
      ])
      expect(await certs.expiringOwn({ limit: 1 })).toHaveLength(1)
      await certs.markWarned(soon.id, 7)
      await certs.markWarned(later.id, 30)
      await clock.advance(5.5 * DAY_MS)
      expect(await due()).toEqual([[A, 1]])
      await clock.advance(DAY_MS)
      expect(await due()).toEqual([])
      expect((await certs.count()).expired).toBe(2)
    })
  })
})
