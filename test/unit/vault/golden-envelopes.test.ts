import { createDecipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  createVault,
  importKeyRing,
  type SealContext,
  toSealedBytes,
} from '../../../src/vault/index.ts'

interface Golden {
  readonly keys: readonly { readonly id: string; readonly hex: string }[]
  readonly envelopes: readonly {
    readonly keyId: string
    readonly context: SealContext
    readonly plain: string
    readonly sealed: string
  }[]
}

const golden = JSON.parse(
  readFileSync(new URL('golden-envelopes.json', import.meta.url), 'utf8'),
) as Golden

describe('what was sealed once', () => {
  const vault = createVault(
    importKeyRing({
      keys: golden.keys.map(({ id, hex }) => ({ bytes: Buffer.from(hex, 'hex'), source: id })),
    }),
  )

  it('needs keys whose ids stay the same', () => {
    expect(vault.keyIds.toSorted()).toEqual(golden.keys.map(({ id }) => id).toSorted())
  })

  it.each(golden.envelopes)('opens for ever: $context.purpose of $context.owner', (envelope) => {
    const sealed = toSealedBytes(Buffer.from(envelope.sealed, 'base64'))
    expect(vault.keyIdOf(sealed)).toBe(envelope.keyId)
    expect(vault.open(sealed, envelope.context).toString('base64')).toBe(envelope.plain)
  })

  it.each(golden.envelopes)(
    'opens by certs-store/README.md alone: $context.purpose of $context.owner',
    (envelope) => {
      const bytes = Buffer.from(envelope.sealed, 'base64')
      const key = golden.keys.find(({ id }) => id === bytes.subarray(1, 9).toString('hex'))
      const dataKey = openByHand({
        key: Buffer.from(key?.hex ?? '', 'hex'),
        nonce: bytes.subarray(9, 21),
        cipherText: bytes.subarray(21, 53),
        tag: bytes.subarray(53, 69),
        authenticated: authenticatedByHand('data-key', envelope.context),
      })
      const plain = openByHand({
        key: dataKey,
        nonce: bytes.subarray(69, 81),
        tag: bytes.subarray(81, 97),
        cipherText: bytes.subarray(97),
        authenticated: authenticatedByHand('body', envelope.context),
      })
      expect(plain.toString('base64')).toBe(envelope.plain)
    },
  )
})

function authenticatedByHand(role: string, { purpose, owner, version }: SealContext): Buffer {
  const parts: Buffer[] = []
  for (const text of ['postern/envelope/1', role, purpose, owner]) {
    const bytes = Buffer.from(text)
    parts.push(Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes)
  }
  const digits = version.toString(16).padStart(8, '0')
  return Buffer.concat([...parts, Buffer.from(digits, 'hex')])
}

interface Box {
  readonly key: Buffer
  readonly nonce: Buffer
  readonly cipherText: Buffer
  readonly tag: Buffer
  readonly authenticated: Buffer
}

function openByHand({ key, nonce, cipherText, tag, authenticated }: Box): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 })
  decipher.setAAD(authenticated).setAuthTag(tag)
  return Buffer.concat([decipher.update(cipherText), decipher.final()])
}
