import { strict as assert } from 'node:assert'
import { VaultError } from './errors.ts'
import type { KeyEncryptionKey } from './key-ring.ts'
import { readKeyFile, replaceKeyFile } from './key-sources/file.ts'
import { keyToLine, parseKeyText } from './key-text.ts'
import type { VaultOptions } from './options.ts'

/** The one file that holds all keys, if that is how they are kept: then Postern can write them. */
export function keyFileOf({ key: addresses }: VaultOptions): string | undefined {
  const [only, ...others] = addresses
  return only?.scheme === 'file' && others.length === 0 ? only.rest : undefined
}

/**
 * Writes `key` before the keys of the file: from the next reading on it seals. Durable when it
 * resolves; throws 'vault/key-file-not-written' when nothing has changed.
 */
export async function addKeyToFile(path: string, key: KeyEncryptionKey): Promise<void> {
  const present = await readPresent(path)
  const line = keyToLine(key)
  try {
    await replaceKeyFile(path, Buffer.concat([line, present]))
  } finally {
    line.fill(0)
    present.fill(0)
  }
}

/** Takes keys out of the file. The one that seals, the first, must not be among them. */
export async function removeKeysFromFile(path: string, ids: ReadonlySet<string>): Promise<void> {
  const present = await readPresent(path)
  const keys = parseKeyText(present, `file:${path}`)
  present.fill(0)
  const [current] = keys
  assert(current && !ids.has(current.id))
  const staying = keys.filter(({ id }) => !ids.has(id))
  if (staying.length === keys.length) return
  const lines = staying.map(keyToLine)
  try {
    await replaceKeyFile(path, Buffer.concat(lines))
  } finally {
    for (const line of lines) line.fill(0)
  }
}

async function readPresent(path: string): Promise<Buffer> {
  const present = await readKeyFile(path)
  if (present) return present
  throw new VaultError('vault/missing-key', `The key file ${path} is not there.`, {
    fix: 'Put the key back from where it is kept.',
  })
}
