import { open, rename, rm } from 'node:fs/promises'
import { CliError } from '../errors.ts'

const PRIVATE_MODE = 0o600

/**
 * Writes a file that only this user can read, replacing an older one in one step: nobody ever sees
 * half a key. Throws 'cli/cannot-write'.
 */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`
  try {
    await using file = await open(draft, 'wx', PRIVATE_MODE)
    await file.writeFile(text)
    await file.sync()
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true })
    throw cannotWrite(path, cause)
  }
}

function cannotWrite(path: string, cause: unknown): CliError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  return new CliError('cli/cannot-write', `${path} cannot be written (${code}).`, {
    cause,
    fix: 'Name a file in a folder that this user may write to.',
  })
}
