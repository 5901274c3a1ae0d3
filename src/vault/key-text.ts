import { VaultError } from './errors.ts'
import { KEY_BYTES, type KeyEncryptionKey, toKeyEncryptionKey } from './key-ring.ts'

/**
 * Reads the keys in what a source gives: one per line, in base64 or hexadecimal; empty lines do not
 * count. Throws 'vault/bad-key' for anything else, without repeating it.
 */
export function parseKeyText(text: Buffer, source: string): readonly KeyEncryptionKey[] {
  const lines = text.toString('latin1').split('\n')
  const keys = lines.flatMap((line, index) => {
    const trimmed = line.trim()
    return trimmed === '' ? [] : [toKeyEncryptionKey(parseKey(trimmed, index, source), source)]
  })
  if (keys.length === 0) throw notAKey(`What ${source} gives is empty.`)
  return keys
}

/** The form in which a key is written to a file: a line of base64. */
export function keyToLine({ key }: KeyEncryptionKey): Buffer {
  const bytes = key.export()
  try {
    return Buffer.from(`${bytes.toString('base64')}\n`)
  } finally {
    bytes.fill(0)
  }
}

const HEXADECIMAL = /^[0-9a-f]{64}$/i
/** 32 bytes: 43 digits, of which the last carries four bits, and padding for those who want it. */
const BASE64 = /^[A-Za-z0-9+/_-]{42}[AEIMQUYcgkosw048]=?$/

function parseKey(line: string, index: number, source: string): Buffer {
  if (HEXADECIMAL.test(line)) return Buffer.from(line, 'hex')
  if (BASE64.test(line)) return Buffer.from(line, 'base64')
  throw notAKey(
    `Line ${index + 1} of what ${source} gives is not a key of ${KEY_BYTES} bytes in base64 or hexadecimal.`,
  )
}

function notAKey(message: string): VaultError {
  return new VaultError('vault/bad-key', message, {
    fix: 'Make one with: openssl rand -base64 32; several stand below one another, the one that seals first.',
  })
}
