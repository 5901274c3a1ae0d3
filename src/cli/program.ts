import { Command } from 'commander'
import { type Config, listSettings } from '../config/index.ts'
import { type CommandContext, configOf } from './command-context.ts'
import { registerAcmeCommands } from './commands/acme-commands.ts'
import { registerCertificateCommands } from './commands/certificate-commands.ts'
import { registerConfigCommands } from './commands/config-commands.ts'
import { registerDoctorCommand } from './commands/doctor-command.ts'
import { registerEventCommands } from './commands/event-commands.ts'
import { registerHostCommands } from './commands/host-commands.ts'
import { registerKeyCommands } from './commands/key-commands.ts'
import { registerWebhookCommands } from './commands/webhook-commands.ts'

/** The commands, and the options that all of them take. */
export function createProgram(context: CommandContext): Command {
  const { terminal } = context
  const program = new Command('postern')
  program
    .description('Tracking hosts with certificates of their own: issued, served, renewed.')
    .option('--json', 'print JSON for programs')
    .option('--config <file>', 'configuration file, by default ./postern.yaml')
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false)
    .exitOverride()
    // Errors are told in runCli, in one form for all of them.
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.note(text),
      outputError: () => undefined,
    })
  program.addHelpText(
    'after',
    '\nAny setting can be given as --<part>.<option>; `postern serve --help` lists them.',
  )

  registerServe(program, context)
  registerDemo(program, context)
  registerHostCommands(program, context)
  registerCertificateCommands(program, context)
  registerAcmeCommands(program, context)
  registerKeyCommands(program, context)
  registerWebhookCommands(program, context)
  registerEventCommands(program, context)
  registerConfigCommands(program, context)
  registerDoctorCommand(program, context)
  return program
}

function registerServe(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .description('Runs the server until it gets SIGTERM or Ctrl-C; --json logs JSON lines.')
    .addHelpText('after', () => `\nSettings:\n${settingLines()}`)
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<{ readonly json?: true; readonly config?: string }>()
      const load = async (): Promise<Config> => {
        const { config } = await configOf(context, options)
        return options.json ? { ...config, log: { ...config.log, pretty: false } } : config
      }
      await context.ports.serve(await load(), load)
    })
}

function registerDemo(program: Command, context: CommandContext): void {
  program
    .command('demo')
    .description('Shows the main job on this machine: from CNAME to padlock to click.')
    .option('--keep', 'leave everything running until Ctrl-C')
    .option('--renew', 'show a renewal under traffic, too')
    .action(async (_options, command: Command) => {
      const {
        keep = false,
        renew = false,
        json = false,
      } = command.optsWithGlobals<{
        readonly keep?: true
        readonly renew?: true
        readonly json?: true
      }>()
      await context.ports.demo({ keep, renew, json })
    })
}

function settingLines(): string {
  const settings = listSettings()
  const width = Math.max(...settings.map(({ key }) => key.length))
  return settings
    .map(({ key, description }) => `  --${key.padEnd(width)}  ${description}\n`)
    .join('')
}
