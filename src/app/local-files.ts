import { chmod, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Random, Redacted } from '../kernel/index.ts'
import { AppStartError } from './errors.ts'

/**
 * What the server leaves in its data directory for commands on the same machine: the key that lets
 * them in, and where it listens.
 */
export interface RunningServer {
  readonly pid: number
  readonly url: string
}

const ADMIN_KEY_BYTES = 32
/** Readable and writable by the owner; anything more lets others administer the server. */
const PRIVATE_MODE = 0o600
const OTHERS = 0o077

/** The key for local administration. Made at the first start, then the same for ever. */
export async function openAdminKey(directory: string, random: Random): Promise<Redacted<string>> {
  try {
    return await readOrMakeAdminKey(directory, random)
  } catch (cause) {
    throw cause instanceof AppStartError ? cause : notWritable(directory, cause)
  }
}

async function readOrMakeAdminKey(directory: string, random: Random): Promise<Redacted<string>> {
  const path = join(directory, 'admin.key')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const known = await readAdminKey(path)
  if (known !== undefined) return new Redacted(known)

  const made = `postern_${random.bytes(ADMIN_KEY_BYTES).toString('base64url')}`
  await writeDurably(path, `${made}\n`)
  return new Redacted(made)
}

function notWritable(directory: string, cause: unknown): AppStartError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new AppStartError({
    code: 'store/not-writable',
    message: `The data directory ${directory} cannot be used: ${why}.`,
    fix: 'Start Postern in a folder where its user may write, or set store.url to another place.',
  })
}

async function readAdminKey(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(undefinedIfMissing)
  if (!found) return undefined
  if ((found.mode & OTHERS) !== 0) {
    throw new AppStartError({
      code: 'app/unsafe-admin-key',
      message: `The file ${path} can be read by other users`,
      fix: `Run: chmod 600 ${path}`,
    })
  }
  const text = (await readFile(path, 'utf8')).trim()
  return text === '' ? undefined : text
}

/** Says where the running server is; the answer undoes it. */
export async function announceRunning(
  directory: string,
  server: RunningServer,
): Promise<AsyncDisposable> {
  const path = join(directory, 'running.json')
  await writeDurably(path, `${JSON.stringify(server)}\n`)
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
}

/** Temp file, fsync, rename: a crash leaves the old content or the new one, never half of it. */
async function writeDurably(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`
  await writeFile(draft, text, { mode: PRIVATE_MODE, flush: true })
  await chmod(draft, PRIVATE_MODE)
  await rename(draft, path)
  await using folder = await open(join(path, '..'), 'r')
  await folder.sync()
}

function undefinedIfMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
