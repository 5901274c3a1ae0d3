import type { Command } from 'commander'
import { keyStatusSchema, type WireKeyStatus } from '../../api/native/contract.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { toTable } from '../output/table.ts'

/** `key status` */
export function registerKeyCommands(program: Command, context: CommandContext): void {
  const key = program.command('key').description('The keys that everything secret is sealed with.')
  withServerOptions(key.command('status'))
    .description('Shows the key-encryption keys, and how many secrets rest under each.')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const client = await clientOf(context, options)
      const status = await context.terminal.progress(
        () => 'Counting',
        () => client.call({ path: '/keys', answer: keyStatusSchema }),
      )
      printResult(context, options, { data: status, text: () => statusToText(status) })
    })
}

function statusToText({ keys }: WireKeyStatus): string {
  const rows = keys.map(({ keyId, current, secrets }) => [
    keyId,
    current ? 'seals and opens' : 'opens',
    String(secrets),
  ])
  return toTable(['key', 'use', 'secrets'], rows)
}
