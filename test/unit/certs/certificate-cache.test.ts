import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { createCertificateCache } from '../../../src/certs/index.ts'
import { type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import type { ServedCertificateRow } from '../../../src/store/index.ts'
import { createTestCa, type IssuedCertificate } from '../../support/certificates.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { aVault } from '../../support/vaults.ts'

const host = (name: string): Hostname => parseHostname(name) as Hostname
const A = host('a.customer.test')
const B = host('b.customer.test')
const ca = createTestCa()
const vault = aVault()
const MEGABYTE = 1024 * 1024

function rowOf(issued: IssuedCertificate, id = issued.serial): ServedCertificateRow {
  const owner = `${issued.hostname}/${id}`
  return {
    id,
    serial: issued.serial,
    not_after: issued.notAfter.getTime(),
    chain_pem: issued.chainPem,
    key_type: 'ec',
    revoked_at: null,
    sealed_key: vault.seal(Buffer.from(issued.keyPem), {
      ...{ purpose: 'certificate-key', owner, version: 1 },
    } as const),
  }
}

/** A table in memory that counts its readers, and can be made to hold them up or to fail. */
function aTable() {
  const rows = new Map<string, ServedCertificateRow>()
  const reads: string[] = []
  let gate = Promise.resolve()
  let failure: Error | undefined
  return {
    rows,
    reads,
    put: (issued: IssuedCertificate) => rows.set(issued.hostname, rowOf(issued)),
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return resolve
    },
    failWith: (error: Error | undefined) => {
      failure = error
    },
    servedCertificate: async (hostname: string) => {
      reads.push(hostname)
      const row = rows.get(hostname)
      await gate
      if (failure) throw failure
      return row
    },
  }
}

function aCache({ bytesMax = MEGABYTE } = {}) {
  const table = aTable()
  const clock = createFakeClock()
  const unusable: string[] = []
  const counts: { readonly contexts: number; readonly bytes: number }[] = []
  const record = {
    contextBuilt: () => undefined,
    contextsCached: (count: (typeof counts)[number]) => void counts.push(count),
    contextKept: () => undefined,
    certificateUnusable: ({ hostname }: { readonly hostname: string }) => {
      unusable.push(hostname)
    },
  }
  const cache = createCertificateCache({ hot: table, vault, clock, record }, { bytesMax })
  return { cache, table, clock, unusable, counts }
}

describe('the cache of contexts', () => {
  it('reads a host once and then answers from memory', async () => {
    const { cache, table } = aCache()
    const issued = ca.issue(A)
    table.put(issued)
    const first = await cache.contextFor(A)
    expect(first).toMatchObject({ serial: issued.serial, notAfter: issued.notAfter })
    expect(await cache.contextFor(A)).toBe(first)
    expect(table.reads).toEqual([A])
  })

  it('builds one context for all that come at the same time', async () => {
    const { cache, table } = aCache()
    table.put(ca.issue(A))
    const served = await Promise.all(Array.from({ length: 50 }, async () => cache.contextFor(A)))
    expect(new Set(served).size).toBe(1)
    expect(table.reads).toHaveLength(1)
  })

  it('serves the new certificate to whoever asks after the host was forgotten', async () => {
    const { cache, table } = aCache()
    table.put(ca.issue(A))
    await cache.contextFor(A)
    const renewed = ca.issue(A)
    table.put(renewed)
    cache.forget(A)
    expect((await cache.contextFor(A))?.serial).toBe(renewed.serial)
  })

  it('does not keep what a query under way brings after the host was forgotten', async () => {
    const { cache, table } = aCache()
    table.put(ca.issue(A))
    const release = table.hold()
    const early = cache.contextFor(A)
    const renewed = ca.issue(A)
    table.put(renewed)
    cache.forget(A)
    const late = cache.contextFor(A)
    release()
    expect((await early)?.serial).not.toBe(renewed.serial)
    expect((await late)?.serial).toBe(renewed.serial)
    expect((await cache.contextFor(A))?.serial).toBe(renewed.serial)
    expect(table.reads).toHaveLength(2)
  })

  it('does not keep it either when nobody has asked again', async () => {
    const { cache, table } = aCache()
    table.put(ca.issue(A))
    const release = table.hold()
    const early = cache.contextFor(A)
    cache.forget(A)
    release()
    await early
    expect(cache.size).toBe(0)
  })

  it('lets go of the context of a host that has left, though nobody asks for it', async () => {
    const { cache, table, counts } = aCache()
    table.put(ca.issue(A))
    await cache.contextFor(A)
    table.rows.delete(A)
    cache.forget(A)
    await vi.waitFor(() => expect(counts.at(-1)?.bytes).toBeLessThan(1024))
  })

  it('stays within its bytes, and drops what was not used for longest', async () => {
    const names = Array.from({ length: 40 }, (_, index) => host(`h${index}.customer.test`))
    const { cache, table } = aCache({ bytesMax: 10 * 34 * 1024 })
    const issued = ca.issue(A, { names })
    for (const name of names) table.put({ ...issued, hostname: name })
    const [first = A] = names
    for (const name of names) {
      await cache.contextFor(name)
      await cache.contextFor(first)
    }
    expect(cache.size).toBe(10)
    expect(table.reads.filter((name) => name === first)).toHaveLength(1)
  })

  it('asks the store for a host without certificate once in a few seconds', async () => {
    const { cache, table, clock } = aCache()
    expect(await cache.contextFor(A)).toBeUndefined()
    expect(await cache.contextFor(A)).toBeUndefined()
    expect(table.reads).toHaveLength(1)
    await clock.advance(3000)
    table.put(ca.issue(A))
    expect(await cache.contextFor(A)).toBeDefined()
  })

  it('serves a first certificate at once when it is told of it', async () => {
    const { cache, table } = aCache()
    await cache.contextFor(A)
    table.put(ca.issue(A))
    cache.forget(A)
    expect(await cache.contextFor(A)).toBeDefined()
  })

  it('says of what it serves when it ends, and whether it was revoked since', async () => {
    const { cache, table } = aCache()
    const expired = ca.issue(A, { notAfter: new Date('2026-01-01') })
    table.put(expired)
    const before = await cache.contextFor(A)
    expect(before).toMatchObject({ notAfter: expired.notAfter, isRevoked: false })
    table.rows.set(A, { ...rowOf(expired), revoked_at: 1 })
    cache.forget(A)
    const after = await cache.contextFor(A)
    expect(after).toMatchObject({ serial: expired.serial, isRevoked: true })
    // The same certificate: no context was built anew.
    expect(after?.context).toBe(before?.context)
  })

  it('serves an RSA certificate', async () => {
    const { cache, table } = aCache()
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const keyPem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const issued = { ...ca.issue(A, { privateKey }), keyPem }
    table.rows.set(A, { ...rowOf(issued), key_type: 'rsa' })
    expect(await cache.contextFor(A)).toMatchObject({ serial: issued.serial })
  })

  it('serves no retired host once it is told of it', async () => {
    const { cache, table } = aCache()
    table.put(ca.issue(A))
    await cache.contextFor(A)
    table.rows.delete(A)
    cache.forget(A)
    expect(await cache.contextFor(A)).toBeUndefined()
  })
})

describe('a row that cannot be used', () => {
  const goodA = rowOf(ca.issue(A))
  const flipped = Buffer.from(goodA.sealed_key)
  flipped[120] = (flipped[120] ?? 0) ^ 1

  it.each<[string, ServedCertificateRow]>([
    ['altered key', { ...goodA, sealed_key: flipped }],
    ['destroyed key', { ...goodA, sealed_key: Buffer.alloc(0) }],
    ['key of another row', { ...goodA, id: 'another' }],
    ['key of another host', rowOf(ca.issue(B))],
    ['chain of another certificate', { ...goodA, chain_pem: ca.issue(A).chainPem }],
    ['chain that is none', { ...goodA, chain_pem: 'x' }],
  ])('(%s) takes that host out alone, says so, and is not tried at each visit', async (_, row) => {
    const { cache, table, clock, unusable } = aCache()
    table.rows.set(A, row)
    table.put(ca.issue(B))
    expect(await cache.contextFor(A)).toBeUndefined()
    expect(await cache.contextFor(A)).toBeUndefined()
    expect(unusable).toEqual([A])
    expect(await cache.contextFor(B)).toBeDefined()
    await clock.advance(3000)
    table.put(ca.issue(A))
    expect(await cache.contextFor(A)).toBeDefined()
  })

  it('leaves the certificate that was served before in its place', async () => {
    const { cache, table } = aCache()
    table.put(ca.issue(A))
    const before = await cache.contextFor(A)
    table.rows.set(A, { ...goodA, sealed_key: flipped })
    cache.forget(A)
    expect(await cache.contextFor(A)).toBe(before)
  })
})

describe('a store that does not answer', () => {
  it('changes nothing for hosts that were visited before', async () => {
    const { cache, table, clock } = aCache()
    table.put(ca.issue(A))
    const before = await cache.contextFor(A)
    table.failWith(new Error('store down'))
    cache.forgetAll()
    expect(await cache.contextFor(A)).toBe(before)
    expect(await cache.contextFor(A)).toBe(before)
    expect(table.reads).toHaveLength(2)
    table.failWith(undefined)
    const renewed = ca.issue(A)
    table.put(renewed)
    await clock.advance(3000)
    expect((await cache.contextFor(A))?.serial).toBe(renewed.serial)
  })

  it('is an error for other hosts, and is asked for them once in a few seconds', async () => {
    const { cache, table, clock } = aCache()
    table.put(ca.issue(A))
    table.failWith(new Error('store down'))
    await expect(cache.contextFor(A)).rejects.toThrow('store down')
    await expect(cache.contextFor(A)).rejects.toThrow('store down')
    expect(table.reads).toHaveLength(1)
    table.failWith(undefined)
    await clock.advance(3000)
    expect(await cache.contextFor(A)).toBeDefined()
  })

  it('is asked at once when it is said to have changed', async () => {
    const { cache, table } = aCache()
    table.put(ca.issue(A))
    table.failWith(new Error('store down'))
    await expect(cache.contextFor(A)).rejects.toThrow('store down')
    table.failWith(undefined)
    cache.forget(A)
    expect(await cache.contextFor(A)).toBeDefined()
  })

  it('costs no new contexts when everything is read again', async () => {
    const { cache, table } = aCache()
    table.put(ca.issue(A))
    const before = await cache.contextFor(A)
    cache.forgetAll()
    expect(await cache.contextFor(A)).toBe(before)
    expect(table.reads).toHaveLength(2)
  })
})

describe('a store that hangs', () => {
  it.each([
    ['anything may have changed', 'forgetAll'],
    ['it was said to have changed', 'forget'],
  ] as const)('makes a visitor of a known host wait a moment, where %s', async (_, how) => {
    const { cache, table, clock } = aCache()
    table.put(ca.issue(A))
    const before = await cache.contextFor(A)
    const release = table.hold()
    const renewed = ca.issue(A)
    table.put(renewed)
    cache[how](A)
    const waiting = cache.contextFor(A)
    await clock.advance(300)
    expect(await waiting).toBe(before)
    // And nobody after that: without a promise, and without another question.
    expect(cache.contextFor(A)).toBe(before)
    await clock.advance(20_000)
    expect(cache.contextFor(A)).toBe(before)
    expect(table.reads).toHaveLength(2)
    // What comes late is taken all the same.
    release()
    await vi.waitFor(async () => expect((await cache.contextFor(A))?.serial).toBe(renewed.serial))
    expect(table.reads).toHaveLength(2)
  })

  it('leaves no timer behind when it answers after all', async () => {
    const { cache, table, clock } = aCache()
    table.put(ca.issue(A))
    await cache.contextFor(A)
    cache.forgetAll()
    await cache.contextFor(A)
    expect(clock.sleepers).toBe(0)
  })
})

describe('when memory is short', () => {
  const names = Array.from({ length: 8 }, (_, index) => host(`h${index}.customer.test`))
  const aFullCache = async () => {
    const world = aCache()
    const issued = ca.issue(A, { names })
    for (const name of names) world.table.put({ ...issued, hostname: name })
    for (const name of names) await world.cache.contextFor(name)
    return world
  }

  it('the hosts visited lately keep their contexts: the store may just be away', async () => {
    const { cache, table } = await aFullCache()
    table.failWith(new Error('store down'))
    cache.release()
    expect(cache.size).toBe(4)
    for (const name of names.slice(4)) expect(cache.contextFor(name)).not.toBeInstanceOf(Promise)
  })

  it('nothing is let go of while the store is known to be away', async () => {
    const { cache, table, clock } = await aFullCache()
    table.failWith(new Error('store down'))
    await expect(cache.contextFor(B)).rejects.toThrow('store down')
    cache.release()
    expect(cache.size).toBe(9)
    // It is back.
    table.failWith(undefined)
    await clock.advance(3000)
    await cache.contextFor(B)
    cache.release()
    expect(cache.size).toBe(4)
  })

  it('nor while it hangs', async () => {
    const { cache, table, clock } = await aFullCache()
    table.hold()
    cache.forgetAll()
    const waiting = cache.contextFor(names[0] ?? A)
    await clock.advance(300)
    expect(await waiting).toBeDefined()
    cache.release()
    expect(cache.size).toBe(8)
  })
})
