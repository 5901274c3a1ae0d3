import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createVault,
  exportKeyRing,
  holdKeyRing,
  importKeyRing,
  joinKeyRings,
  type SealContext,
  sealingWith,
  toSealedBytes,
  VaultError,
} from '../../../src/vault/index.ts'
import { contextToBytes } from '../../../src/vault/seal-context.ts'
import { aKeyRing } from '../../support/vaults.ts'

const context: SealContext = { purpose: 'certificate-key', owner: 'a.test/1', version: 1 }
const secret = Buffer.from('the private key of a.test')
const vault = createVault(aKeyRing(1))

const contexts = fc.record<SealContext>({
  purpose: fc.constantFrom(
    ...([
      'certificate-key',
      'acme-account-key',
      'link-signing-key',
      'webhook-key',
      'ticket-secret',
      'key-check',
    ] as const),
  ),
  owner: fc.string({ unit: 'binary', maxLength: 300 }),
  version: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
})

function codeOf(work: () => unknown): string | undefined {
  try {
    work()
  } catch (error) {
    if (error instanceof VaultError) return error.code
    throw error
  }
  return undefined
}

describe('a sealed secret', () => {
  it('opens in its own context, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), contexts, (plain, where) => {
        const sealed = vault.seal(plain, where)
        expect(vault.open(toSealedBytes(Buffer.from(sealed)), where)).toEqual(Buffer.from(plain))
      }),
    )
  })

  it('does not open in any other context: rows cannot be swapped', () => {
    fc.assert(
      fc.property(contexts, contexts, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other))
        const sealed = vault.seal(secret, one)
        expect(codeOf(() => vault.open(sealed, other))).toBe('vault/cannot-open')
      }),
    )
  })

  it.each<[string, Partial<SealContext>]>([
    ['purpose', { purpose: 'acme-account-key' }],
    ['owner', { owner: 'b.test/1' }],
    ['version', { version: 2 }],
  ])('is bound to its %s', (_, change) => {
    const sealed = vault.seal(secret, context)
    expect(codeOf(() => vault.open(sealed, { ...context, ...change }))).toBe('vault/cannot-open')
  })

  it('refuses every single flipped bit', () => {
    const sealed = vault.seal(secret, context)
    const accepted = Array.from({ length: sealed.length * 8 }, (_, bit) => bit).filter((bit) => {
      const flipped = Buffer.from(sealed)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const code = codeOf(() => vault.open(toSealedBytes(flipped), context))
      return code !== 'vault/cannot-open' && code !== 'vault/missing-key'
    })
    expect(accepted).toEqual([])
  })

  it('refuses to be shorter or longer by any number of bytes', () => {
    const sealed = vault.seal(secret, context)
    const lengths = Array.from({ length: sealed.length }, (_, length) => length)
    const cut = lengths.map((length) => Buffer.from(sealed.subarray(0, length)))
    const grown = [1, 12, 16].map((more) => Buffer.concat([sealed, Buffer.alloc(more)]))
    for (const bytes of [...cut, ...grown]) {
      expect(codeOf(() => vault.open(toSealedBytes(bytes), context))).toBe('vault/cannot-open')
    }
  })

  it('refuses the tag of another envelope, cut or whole, and parts of others in its place', () => {
    const [sealed, other] = [vault.seal(secret, context), vault.seal(secret, context)]
    const parts = [
      [9, 69],
      [53, 69],
      [69, 97],
      [81, 97],
      [97, sealed.length],
    ] as const
    for (const [start, end] of parts) {
      const mixed = Buffer.concat([
        sealed.subarray(0, start),
        other.subarray(start, end),
        sealed.subarray(end),
      ])
      expect(codeOf(() => vault.open(toSealedBytes(mixed), context))).toBe('vault/cannot-open')
    }
  })

  it('never looks the same twice, and holds nothing of the secret', () => {
    const [one, two] = [vault.seal(secret, context), vault.seal(secret, context)]
    expect(one.subarray(9).equals(two.subarray(9))).toBe(false)
    expect(one.includes(secret.subarray(0, 8))).toBe(false)
  })

  it('is not confused with a row that holds nothing or something newer', () => {
    expect(codeOf(() => toSealedBytes(Buffer.alloc(0)))).toBe('vault/cannot-open')
    expect(codeOf(() => toSealedBytes(Buffer.alloc(200, 2)))).toBe('vault/cannot-open')
  })
})

describe('a secret that is given to another key', () => {
  const [old, both, fresh] = [aKeyRing(1), aKeyRing(2, 1), aKeyRing(2)].map(createVault)

  it('keeps its body to the last byte, and opens with the new key alone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), contexts, (plain, where) => {
        const before = old?.seal(plain, where) ?? toSealedBytes(Buffer.alloc(0))
        const after = both?.rewrap(before, where)
        if (after?.kind !== 'rewrapped') throw new Error('not rewrapped')
        expect(after.sealed.length).toBe(before.length)
        expect(after.sealed.subarray(69).equals(before.subarray(69))).toBe(true)
        expect(after.sealed.subarray(1, 69).equals(before.subarray(1, 69))).toBe(false)
        expect(fresh?.open(after.sealed, where)).toEqual(Buffer.from(plain))
      }),
    )
  })

  it('is left alone when it has that key', () => {
    const sealed = fresh?.seal(secret, context) ?? toSealedBytes(Buffer.alloc(0))
    expect(both?.rewrap(sealed, context)).toEqual({ kind: 'is-current' })
  })

  it('is refused in another context, altered, or without its key', () => {
    const sealed = vault.seal(secret, context)
    expect(codeOf(() => both?.rewrap(sealed, { ...context, version: 2 }))).toBe('vault/cannot-open')
    const altered = Buffer.from(sealed)
    altered[30] = (altered[30] ?? 0) ^ 1
    expect(codeOf(() => both?.rewrap(toSealedBytes(altered), context))).toBe('vault/cannot-open')
    expect(codeOf(() => fresh?.rewrap(sealed, context))).toBe('vault/missing-key')
  })
})

describe('the authenticated context', () => {
  it('has one encoding per context and role', () => {
    fc.assert(
      fc.property(contexts, contexts, (one, other) => {
        const equal = contextToBytes('body', one).equals(contextToBytes('body', other))
        expect(equal).toBe(JSON.stringify(one) === JSON.stringify(other))
        expect(contextToBytes('body', one).equals(contextToBytes('data-key', one))).toBe(false)
      }),
    )
  })
})

describe('a key ring', () => {
  it('seals with the first key and opens with all', () => {
    const [old, both] = [createVault(aKeyRing(1)), createVault(aKeyRing(2, 1))]
    const before = old.seal(secret, context)
    const after = both.seal(secret, context)
    expect(both.open(before, context)).toEqual(secret)
    expect(both.keyIdOf(after)).toBe(both.currentKeyId)
    expect(both.keyIds).toHaveLength(2)
    expect(codeOf(() => old.open(after, context))).toBe('vault/missing-key')
  })

  it('counts a key once that was given twice', () => {
    expect(createVault(aKeyRing(1, 1)).keyIds).toHaveLength(1)
  })

  it('travels to another process as plain data, in its order, and leaves no key behind', () => {
    const exported = structuredClone(exportKeyRing(aKeyRing(2, 1)))
    const there = createVault(importKeyRing(exported))
    expect(there.open(vault.seal(secret, context), context)).toEqual(secret)
    expect(there.currentKeyId).toBe(createVault(aKeyRing(2)).currentKeyId)
    expect(exported.keys.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).toEqual([
      '00'.repeat(32),
      '00'.repeat(32),
    ])
  })

  it('is replaced under the hands of everybody who has it', () => {
    const holder = holdKeyRing(aKeyRing(1))
    const held = createVault(holder)
    const before = held.seal(secret, context)
    holder.replace(aKeyRing(2, 1))
    expect(held.open(before, context)).toEqual(secret)
    expect(held.currentKeyId).toBe(createVault(aKeyRing(2)).currentKeyId)
    expect(held.keyIds).toEqual(createVault(aKeyRing(2, 1)).keyIds)
    holder.replace(aKeyRing(2))
    expect(codeOf(() => held.open(before, context))).toBe('vault/missing-key')
  })

  it('joins with another, and lets any of its keys seal', () => {
    const joined = joinKeyRings(aKeyRing(3, 1), aKeyRing(2, 1))
    expect(createVault(joined).keyIds).toEqual(createVault(aKeyRing(3, 1, 2)).keyIds)
    const [, second = ''] = createVault(joined).keyIds
    expect(createVault(sealingWith(joined, second)).keyIds).toEqual(
      createVault(aKeyRing(1, 3, 2)).keyIds,
    )
    expect(() => sealingWith(joined, 'none')).toThrow()
  })

  it('does not show its keys when printed', () => {
    const ring = aKeyRing(0x41)
    expect(inspect(ring, { depth: 9 }) + JSON.stringify(ring)).not.toMatch(/AAAA|41414141|QUFB/)
  })
})
