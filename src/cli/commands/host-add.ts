import type { Command } from 'commander'
import { hostSchema, type WireHost } from '../../api/native/contract.ts'
import { bounded, type Duration, parseDuration } from '../../kernel/index.ts'
import type { ApiClient } from '../client/api-client.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { CliError } from '../errors.ts'
import { errorToFacts, errorToText } from '../output/error-lines.ts'
import { exitCodeOf } from '../output/exit-code.ts'
import { printable } from '../output/printable.ts'
import { type NamedHost, readHostNames } from './host-names.ts'
import { followHost, stepsSoFar } from './host-story.ts'
import { hostsToText, hostToText } from './host-text.ts'

/** Requests under way at once: more than the server issues at once, far less than it accepts. */
const HOSTS_AT_ONCE = 32

interface AddOptions extends CommonOptions {
  readonly domain?: string
  readonly account?: string
  readonly from?: string
  readonly wait?: true
  readonly timeout: string
}

/** `host add`: one name or a million, and the story of each if asked. */
export function registerHostAdd(host: Command, context: CommandContext): void {
  withServerOptions(host.command('add'))
    .description('Adds tracking hosts; their certificates come by themselves.')
    .argument('[host...]', 'names; - reads them from standard input, one per line')
    .option('--from <file>', 'a file with one name per line, perhaps followed by its domain')
    .option('--domain <domain>', 'the sending domain; by default what follows the first dot')
    .option('--account <account>', 'whose they are; default unless told otherwise')
    .option('--wait', 'tell each step until padlock or reason')
    .option('--timeout <span>', 'how long to wait', '10m')
    .action(async (names: readonly string[], _options, command: Command) => {
      const options = command.optsWithGlobals<AddOptions>()
      const timeout = timeoutOf(options)
      const { from, domain } = options
      const hosts = await readHostNames({ names, from, domain }, context.ports.stdin)
      const client = await clientOf(context, options)
      printAdded(context, options, await addAll({ context, client, options, timeout }, hosts))
    })
}

function timeoutOf({ timeout }: AddOptions): Duration {
  const span = parseDuration(timeout)
  if (span !== undefined) return span
  throw new CliError('cli/usage', `--timeout ${timeout} is not a span.`, {
    fix: 'Write it like 90s or 10m.',
  })
}

interface Adding {
  readonly context: CommandContext
  readonly client: ApiClient
  readonly options: AddOptions
  readonly timeout: Duration
}

interface Added {
  readonly hosts: readonly WireHost[]
  readonly failures: readonly { readonly host: string; readonly error: unknown }[]
}

/** One that fails does not keep the others from being added. */
async function addAll(adding: Adding, names: readonly NamedHost[]): Promise<Added> {
  const hosts: WireHost[] = []
  const failures: { readonly host: string; readonly error: unknown }[] = []
  const { terminal, ports } = adding.context
  const isOnly = names.length === 1
  await terminal.progress(
    () => `${hosts.length} of ${names.length} ${adding.options.wait ? 'active' : 'added'}`,
    () =>
      bounded(names, HOSTS_AT_ONCE, async (name) => {
        try {
          hosts.push(await addOne(adding, name, isOnly ? '' : `${name.host}  `))
        } catch (error) {
          if (isOnly || isHopeless(error) || ports.signal.aborted) throw error
          failures.push({ host: name.host, error })
        }
      }),
  )
  return { hosts, failures }
}

/** Without a server, or with a wrong key, the other names need not be tried. */
function isHopeless(error: unknown): boolean {
  return (
    !(error instanceof Error && 'code' in error) ||
    error.code === 'cli/unreachable' ||
    error.code === 'cli/not-postern' ||
    error.code === 'api/unauthorized' ||
    error.code === 'config/edge-name-missing'
  )
}

async function addOne(
  { context: { ports, terminal }, client, options, timeout }: Adding,
  { host, domain }: NamedHost,
  prefix: string,
): Promise<WireHost> {
  const { clock, signal } = ports
  const known = options.wait ? await stepsSoFar(client, host) : new Set<string>()
  const { account } = options
  const body = {
    host,
    ...(domain === undefined ? {} : { domain }),
    ...(account === undefined ? {} : { account }),
  }
  const added = await client.call({ method: 'POST', path: '/hosts', body, answer: hostSchema })
  if (!options.wait) return added
  const tell = (line: string): void => {
    if (!options.json) terminal.out(`${prefix}${printable(line)}\n`)
  }
  return followHost({ client, clock, signal, tell }, added.host, { known, timeout })
}

function printAdded(
  context: CommandContext,
  options: AddOptions,
  { hosts, failures }: Added,
): void {
  const now = context.ports.clock.now()
  const [only] = hosts
  printResult(context, options, {
    data: {
      items: hosts,
      failed: failures.map(({ host, error }) => ({ host, error: errorToFacts(error) })),
    },
    text: () => {
      if (only && hosts.length === 1) return options.wait ? padlock(only) : hostToText(only, now)
      return hosts.length === 0 ? '' : hostsToText(hosts)
    },
  })
  for (const { host, error } of failures) {
    if (!options.json) context.terminal.note(`${printable(host)}: ${errorToText(error)}`)
  }
  const [first] = failures
  if (first) context.finish(exitCodeOf(first.error))
}

function padlock({ host, certificate }: WireHost): string {
  const proof = certificate
    ? `certificate ${certificate.serial} by ${certificate.issuer}, until ${certificate.notAfter}`
    : 'no certificate'
  return printable(`padlock: https://${host}/, ${proof}`).concat('\n')
}
