import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { EnvironmentVariables } from '../../config/index.ts'
import { CliError } from '../errors.ts'

/** Where the server is, and the key that it lets in. */
export interface ServerAccess {
  readonly url: string
  readonly key: string
}

interface FindServerDeps {
  readonly environment: Pick<EnvironmentVariables, 'read'>
  /** Only asked when flags and environment do not say it all. */
  readonly dataDirectory: () => Promise<string>
}

const runningServer = z.object({ url: z.url() })

/**
 * Finds the server: `--url` and `--key`, else POSTERN_API_URL and POSTERN_API_KEY, else the server of
 * this machine by what it left in its data directory. The local key is only ever sent to that one.
 */
export async function findServer(
  flags: { readonly url?: string | undefined; readonly key?: string | undefined },
  { environment, dataDirectory }: FindServerDeps,
): Promise<ServerAccess> {
  const url = flags.url ?? environment.read('POSTERN_API_URL')
  const key = flags.key ?? environment.read('POSTERN_API_KEY')
  if (url !== undefined) return namedServer(url, key)

  const directory = await dataDirectory()
  const running = await readLocal(join(directory, 'running.json'))
  if (running === undefined) throw notRunning(directory)
  const local = urlIn(running, directory)
  const localKey = key ?? (await readLocal(join(directory, 'admin.key')))?.trim()
  if (!localKey) throw notRunning(directory)
  return { url: local, key: localKey }
}

function namedServer(url: string, key: string | undefined): ServerAccess {
  if (!z.url({ protocol: /^https?$/ }).safeParse(url).success) {
    throw new CliError('cli/usage', `${url} is not the URL of a server.`, {
      fix: 'Write it like http://127.0.0.1:8025.',
    })
  }
  if (key !== undefined) return { url, key }
  throw new CliError('cli/no-key', `There is no key for ${url}.`, {
    fix: 'Give one with POSTERN_API_KEY or --key: the content of admin.key in its data directory.',
  })
}

function urlIn(text: string, directory: string): string {
  try {
    return runningServer.parse(JSON.parse(text)).url
  } catch (cause) {
    throw brokenFile(join(directory, 'running.json'), cause)
  }
}

function brokenFile(path: string, cause: unknown): CliError {
  return new CliError('cli/unreachable', `${path} does not say where the server is.`, {
    cause,
    fix: 'Start the server again, or name it with --url and --key.',
  })
}

function notRunning(directory: string): CliError {
  return new CliError('cli/unreachable', `No Postern server is running in ${directory}.`, {
    fix: 'Start it with `postern serve`, or name another with --url and --key.',
  })
}

/** `undefined` if the file is not there. */
async function readLocal(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw forbiddenFile(path, cause)
  }
}

function forbiddenFile(path: string, cause: unknown): CliError {
  return new CliError('cli/no-key', `${path} cannot be read by this user.`, {
    cause,
    fix: 'Run the command as the user of the server, or use --url and --key.',
  })
}
