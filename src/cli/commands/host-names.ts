import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { CliError } from '../errors.ts'

/** A name to add, and the sending domain it belongs to if the line says so. */
export interface NamedHost {
  readonly host: string
  readonly domain?: string | undefined
}

/** More than the largest platforms have. */
const NAMES_MAX = 5_000_000

/**
 * Reads the names of `host add`: arguments, `-` for standard input, `--from` for a file. A line is
 * `host` or `host domain`; empty lines and those after `#` are skipped, repetitions too.
 */
export async function readHostNames(
  {
    names,
    from,
    domain,
  }: {
    readonly names: readonly string[]
    readonly from?: string | undefined
    readonly domain?: string | undefined
  },
  stdin: AsyncIterable<Buffer | string>,
): Promise<readonly NamedHost[]> {
  const hosts = new Map<string, NamedHost>()
  const add = (line: string): void => {
    const [host, ownDomain] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (host) hosts.set(host, { host, domain: ownDomain ?? domain })
    if (hosts.size > NAMES_MAX) throw tooMany()
  }
  for (const name of names) {
    if (name !== '-') add(name)
    else for await (const line of linesOf(Readable.from(stdin))) add(line)
  }
  if (from !== undefined) await addFile(from, add)
  if (hosts.size > 0) return [...hosts.values()]
  throw new CliError('cli/usage', 'There is no name to add.', {
    fix: 'Write postern host add email.customer.com, or - to read names from standard input.',
  })
}

async function addFile(path: string, add: (line: string) => void): Promise<void> {
  try {
    for await (const line of linesOf(createReadStream(path))) add(line)
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw unreadable(path, cause)
  }
}

function linesOf(input: Readable): AsyncIterable<string> {
  return createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
}

function unreadable(path: string, cause: unknown): CliError {
  return new CliError('cli/usage', `${path} cannot be read.`, {
    cause,
    fix: 'Name a file with one host per line.',
  })
}

function tooMany(): CliError {
  return new CliError('cli/usage', `These are more than ${NAMES_MAX} names.`, {
    fix: 'Add them in several runs.',
  })
}
