import type { Command } from 'commander'
import { eventPageSchema, type WireEvent } from '../../api/native/contract.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { toTable } from '../output/table.ts'
import { collectPages } from './collect-pages.ts'

interface ListOptions extends CommonOptions {
  readonly account?: string
  readonly host?: string
  readonly kind?: string
  readonly limit: string
}

/** `event list`: what happened, newest first. */
export function registerEventCommands(program: Command, context: CommandContext): void {
  const event = program.command('event').description('What accounts were told.')
  withServerOptions(event.command('list'))
    .description('Lists what happened to hosts and certificates, newest first.')
    .option('--account <account>', 'only of this account')
    .option('--host <host>', 'only about this host')
    .option('--kind <kind>', 'only of one kind: issued, renewed, failing, expiring, left …')
    .option('--limit <count>', 'at most so many', '100')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { account, host, kind } = options
      const client = await clientOf(context, options)
      const found = await collectPages(context, options, (page) =>
        client.call({
          path: '/events',
          query: { ...page, account, host, kind },
          answer: eventPageSchema,
        }),
      )
      printResult(context, options, { data: found, text: () => eventsToText(found.items) })
    })
}

function eventsToText(events: readonly WireEvent[]): string {
  const rows = events.map(({ at, kind, host, account, data }) => [
    `${at.slice(0, 10)} ${at.slice(11, 19)}`,
    kind,
    host ?? undefined,
    account,
    sentenceIn(data),
  ])
  return toTable(['at (utc)', 'kind', 'host', 'account', 'what'], rows)
}

/** What an event says depends on its kind; most say it in a sentence, too. */
function sentenceIn({ sentence, reason }: WireEvent['data']): string | undefined {
  if (typeof sentence === 'string') return sentence
  if (typeof reason !== 'object' || reason === null || !('sentence' in reason)) return undefined
  return typeof reason.sentence === 'string' ? reason.sentence : undefined
}
