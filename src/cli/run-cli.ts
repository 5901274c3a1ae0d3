import { CommanderError } from 'commander'
import { AppError } from '../kernel/index.ts'
import type { CommandContext } from './command-context.ts'
import { CliError } from './errors.ts'
import { errorToJson, errorToText } from './output/error-lines.ts'
import { EXIT, exitCodeOf } from './output/exit-code.ts'
import { createTerminal } from './output/terminal.ts'
import type { CliPorts } from './ports.ts'
import { createProgram } from './program.ts'
import { takeSettingFlags } from './setting-flags.ts'

/**
 * Runs one command line (without runtime and script) and resolves to its exit code. Never throws:
 * whatever goes wrong is told in a sentence on standard error.
 */
export async function runCli(argv: readonly string[], ports: CliPorts): Promise<number> {
  const terminal = createTerminal(ports)
  let exitCode: number = EXIT.done
  try {
    const { settings, rest } = takeSettingFlags(argv)
    const context: CommandContext = {
      ports,
      terminal,
      settings,
      finish: (code) => {
        exitCode = code
      },
    }
    await createProgram(context).parseAsync([...rest], { from: 'user' })
    return exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError && isHelp(thrown)) {
      return thrown.exitCode === 0 ? EXIT.done : EXIT.wrongUsage
    }
    const error = toTold(thrown, ports.signal)
    terminal.note(argv.includes('--json') ? errorToJson(error) : errorToText(error))
    if (wantsDetails(argv, ports)) terminal.note(stackOf(error))
    return exitCodeOf(error)
  }
}

function toTold(thrown: unknown, signal: AbortSignal): unknown {
  if (thrown instanceof CommanderError) return usageError(thrown)
  const isInterrupted = signal.aborted && !(thrown instanceof AppError)
  return isInterrupted ? new CliError('cli/interrupted', 'Interrupted.', { cause: thrown }) : thrown
}

function isHelp({ code, exitCode }: CommanderError): boolean {
  return exitCode === 0 || code === 'commander.help'
}

/** Commander's `error: unknown option '--x'\n(Did you mean --y?)` in our two sentences. */
function usageError({ message }: CommanderError): CliError {
  const [what = '', hint] = message.replace(/^error: /, '').split('\n')
  const sentence = `${what.charAt(0).toUpperCase()}${what.slice(1).replace(/\.$/, '')}.`
  return new CliError('cli/usage', sentence, {
    fix: hint?.replace(/^\((.*)\)$/, '$1') ?? 'Add --help to see what there is.',
  })
}

/** Stacks are for whoever looks for a fault, and only when asked for. */
function wantsDetails(argv: readonly string[], { environment }: CliPorts): boolean {
  const debugs = argv.join(' ').match(/--log\.level[= ]debug\b/) !== null
  return debugs || environment.read('POSTERN_LOG_LEVEL') === 'debug'
}

function stackOf(error: unknown): string {
  return error instanceof Error && error.stack !== undefined ? `${error.stack}\n` : ''
}
