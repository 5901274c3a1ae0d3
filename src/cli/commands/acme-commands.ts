import type { Command } from 'commander'
import { acmeStatusSchema } from '../../api/native/contract.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { acmeStatusToText } from './acme-text.ts'

/** `acme status` */
export function registerAcmeCommands(program: Command, context: CommandContext): void {
  const acme = program.command('acme').description('How we stand with certificate authorities.')
  withServerOptions(acme.command('status'))
    .description('Shows CAs, budgets, paused names, who waits, and renewals to come.')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const client = await clientOf(context, options)
      const status = await context.terminal.progress(
        () => 'Counting',
        () => client.call({ path: '/acme', answer: acmeStatusSchema }),
      )
      const now = context.ports.clock.now()
      printResult(context, options, { data: status, text: () => acmeStatusToText(status, now) })
    })
}
