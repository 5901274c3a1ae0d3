import type { Command } from 'commander'
import { type LoadedConfig, loadConfig } from '../config/index.ts'
import { type ApiClient, createApiClient } from './client/api-client.ts'
import { findServer } from './client/find-server.ts'
import type { Terminal } from './output/terminal.ts'
import type { CliPorts } from './ports.ts'

/** What every command works with. */
export interface CommandContext {
  readonly ports: CliPorts
  readonly terminal: Terminal
  /** `--<part>.<option>` given on the command line. */
  readonly settings: ReadonlyMap<string, string>
  /** Called by each command with the exit code it ends in, unless it throws. */
  readonly finish: (exitCode: number) => void
}

/** Options that every command takes, and those of commands that talk to the server. */
export interface CommonOptions {
  readonly json?: true
  readonly config?: string
  readonly url?: string
  readonly key?: string | undefined
}

/** The configuration that a server started here and now would have. */
export function configOf(
  { ports, settings }: CommandContext,
  { config }: Pick<CommonOptions, 'config'>,
): Promise<LoadedConfig> {
  return loadConfig({
    file: config,
    cwd: ports.cwd,
    environment: ports.environment,
    flags: settings,
  })
}

/** Adds the options of a command that talks to the server. */
export function withServerOptions(command: Command): Command {
  return command
    .option('--url <url>', 'the server, by default the one on this machine (POSTERN_API_URL)')
    .option('--key <key>', 'its API key; better in POSTERN_API_KEY, where `ps` does not show it')
}

/** The server that the options name. */
export async function clientOf(
  context: CommandContext,
  options: CommonOptions,
): Promise<ApiClient> {
  const { environment, dataDirectory, fetch, signal } = context.ports
  const access = await findServer(options, {
    environment,
    dataDirectory: async () => dataDirectory((await configOf(context, options)).config),
  })
  return createApiClient({ ...access, fetch }, signal)
}

/** Prints a result: JSON for programs, else what `text` makes of it for people. */
export function printResult(
  { terminal }: CommandContext,
  { json }: CommonOptions,
  { data, text }: { readonly data: unknown; readonly text: () => string },
): void {
  terminal.out(json ? `${JSON.stringify(data, null, 2)}\n` : text())
}
