import { open, rename, rm } from 'node:fs/promises'
import { CliError } from '../errors.ts'

const PRIVATE_MODE = 0o600

/**
 * Writes a file that only this user can read, in one step: nobody ever sees half a key. An older
 * file is only replaced with `force`. Throws 'cli/cannot-write'.
 */
export async function writeSecretFile(
  path: string,
  content: string | Buffer,
  { force }: { readonly force: boolean },
): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`
  const isReserved = force ? false : await reserve(path)
  try {
    await using file = await open(draft, 'wx', PRIVATE_MODE)
    await file.writeFile(content)
    await file.sync()
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true })
    if (isReserved) await rm(path, { force: true })
    throw cannotWrite(path, cause)
  }
}

/** Takes the name before anything is written, so that two runs at once do not both get it. */
async function reserve(path: string): Promise<true> {
  try {
    await using _file = await open(path, 'wx', PRIVATE_MODE)
    return true
  } catch (cause) {
    throw codeOf(cause) === 'EEXIST' ? alreadyThere(path, cause) : cannotWrite(path, cause)
  }
}

function alreadyThere(path: string, cause: unknown): CliError {
  return new CliError('cli/cannot-write', `${path} is there already.`, {
    cause,
    fix: 'Name another file, or add --force to replace it.',
  })
}

function cannotWrite(path: string, cause: unknown): CliError {
  return new CliError('cli/cannot-write', `${path} cannot be written (${codeOf(cause)}).`, {
    cause,
    fix: 'Name a file in a folder that this user may write to.',
  })
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
}
