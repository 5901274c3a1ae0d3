import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readUpload } from '../../../src/certs/upload.ts'
import { createTestCa } from '../../support/certificates.ts'

const issued = createTestCa().issue('email.customer.test')
const { chainPem, privateKey: ecKey } = issued
const rsaKey: KeyObject = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const noPkcs12 = {
  read: () => Promise.reject(new Error('PEM needs no thread')),
}

const readPem = (chain: string, key: string) => readUpload({ pem: { chain, key } }, noPkcs12)
const exported = (key: KeyObject, type: 'pkcs1' | 'pkcs8' | 'sec1'): string =>
  key.export({ format: 'pem', type }).toString()
const encrypted = (type: 'pkcs1' | 'pkcs8'): string =>
  rsaKey.export({ format: 'pem', type, cipher: 'aes-256-cbc', passphrase: 'x' }).toString()

describe('a certificate in PEM', () => {
  it.each([
    ['PKCS#8', exported(ecKey, 'pkcs8'), ecKey],
    ['SEC 1', exported(ecKey, 'sec1'), ecKey],
    ['SEC 1 after its parameters', `${ecParameters()}${exported(ecKey, 'sec1')}`, ecKey],
    ['PKCS#8, RSA', exported(rsaKey, 'pkcs8'), rsaKey],
    ['PKCS#1', exported(rsaKey, 'pkcs1'), rsaKey],
    ['DOS line ends', exported(ecKey, 'pkcs8').replaceAll('\n', '\r\n'), ecKey],
  ])('is read with a key in %s', async (_, key, expected) => {
    // Everything in one file, for both.
    const all = chainPem + key
    const read = await readPem(all, all)
    expect((await readPem(chainPem, key)).privateKey.equals(expected)).toBe(true)
    expect(read.privateKey.equals(expected)).toBe(true)
    expect(read.certificates).toHaveLength(2)
    expect(read.certificates[0]?.serialNumber).toBe(issued.serial)
  })

  const key = exported(ecKey, 'pkcs8')
  it.each([
    ['no certificate', 'readable', 'x', key],
    ['a certificate of rubbish', 'readable', chainPem.replace('MII', 'AAA'), key],
    ['64 KiB and more', 'size', chainPem + ' '.repeat(64 * 1024), key],
    ['no key', 'key-readable', chainPem, chainPem],
    ['a public key', 'key-readable', chainPem, '-----BEGIN PUBLIC KEY-----'],
    ['two keys', 'key-readable', chainPem, key + exported(rsaKey, 'pkcs1')],
    ['a key that was cut', 'key-readable', chainPem, key.replace(/.{20}\n-----END/, '\n-----END')],
    ['an encrypted key', 'key-readable', chainPem, encrypted('pkcs8')],
    ['a key that was encrypted the old way', 'key-readable', chainPem, encrypted('pkcs1')],
    ['a key of 64 KiB and more', 'size', chainPem, key + ' '.repeat(64 * 1024)],
  ])('with %s is refused (%s), with what helps', async (_, check, chain, badKey) => {
    await expect(readPem(chain, badKey)).rejects.toMatchObject({
      ...{ code: 'certs/bad-upload', check, fix: expect.stringMatching(/^[A-Z].*\.$/) },
    })
  })

  it('says that a key is encrypted, and how to decrypt it', async () => {
    await expect(readPem(chainPem, encrypted('pkcs8'))).rejects.toMatchObject({
      message: 'The private key is encrypted with a password.',
      fix: expect.stringContaining('openssl pkey -in'),
    })
  })
})

/** What `openssl ecparam -genkey` writes before the key. */
function ecParameters(): string {
  return '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
}
