import { describe, expect, it } from 'vitest'
import {
  createVault,
  sealKeyCheck,
  verifyKeyChecks,
  verifySealedWith,
} from '../../../src/vault/index.ts'
import { aKeyRing } from '../../support/vaults.ts'

const checkOf = (byte: number) => sealKeyCheck(createVault(aKeyRing(byte)))

describe('the check of keys at start', () => {
  it('lets a new database pass, and one whose keys are all there', () => {
    verifyKeyChecks(aKeyRing(1), [])
    verifyKeyChecks(aKeyRing(1), [checkOf(1)])
    verifyKeyChecks(aKeyRing(3, 1, 2), [checkOf(1), checkOf(2)])
  })

  it('names the key that is needed and the one that was given', () => {
    const { keyId } = checkOf(1)
    expect(() => verifyKeyChecks(aKeyRing(2), [checkOf(1)])).toThrow(
      expect.objectContaining({ code: 'vault/wrong-key', message: expect.stringContaining(keyId) }),
    )
  })

  it('misses a key that seals only some of the secrets', () => {
    expect(() => verifyKeyChecks(aKeyRing(2), [checkOf(1), checkOf(2)])).toThrow(
      expect.objectContaining({ code: 'vault/missing-key' }),
    )
  })

  it('misses a key under which secrets rest although no check is there any more', () => {
    const [one, two] = [checkOf(1).keyId, checkOf(2).keyId]
    verifySealedWith(aKeyRing(1), [])
    verifySealedWith(aKeyRing(1, 2, 3), [two, one])
    expect(() => verifySealedWith(aKeyRing(2), [one, two])).toThrow(
      expect.objectContaining({
        ...{ code: 'vault/missing-key', message: expect.stringContaining(one) },
      }),
    )
  })

  it('notices a damaged check, and one that was put in the place of another', () => {
    const good = checkOf(1)
    const damaged = Buffer.from(good.sealed)
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
    const swapped = { keyId: checkOf(2).keyId, sealed: good.sealed }
    for (const check of [
      { ...good, sealed: damaged },
      { ...good, sealed: Buffer.alloc(0) },
      swapped,
    ]) {
      expect(() => verifyKeyChecks(aKeyRing(1, 2), [check])).toThrow(
        expect.objectContaining({ code: 'vault/wrong-key' }),
      )
    }
  })
})
