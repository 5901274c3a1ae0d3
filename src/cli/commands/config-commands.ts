import type { Command } from 'commander'
import { explainConfig } from '../../config/index.ts'
import {
  type CommandContext,
  type CommonOptions,
  configOf,
  printResult,
} from '../command-context.ts'
import { toTable } from '../output/table.ts'

/** `config check`, `config explain`: what a server started here and now would be told. */
export function registerConfigCommands(program: Command, context: CommandContext): void {
  const config = program
    .command('config')
    .description('The configuration, without starting anything.')
  config
    .command('check')
    .description('Says whether the configuration is good: exit code 0 or 2.')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const { settings } = await configOf(context, options)
      const given = settings.filter(({ origin }) => origin.kind !== 'default').length
      printResult(context, options, {
        data: { ok: true, given },
        text: () =>
          `The configuration is good: ${given} of ${settings.length} settings are given.\n`,
      })
    })
  config
    .command('explain')
    .description('Shows every setting, its value and where it came from; secrets are hidden.')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const explained = explainConfig((await configOf(context, options)).settings)
      const rows = explained.map(({ key, value, source }) => [key, value ?? undefined, source])
      printResult(context, options, {
        data: { settings: explained },
        text: () => toTable(['setting', 'value', 'from'], rows),
      })
    })
}
