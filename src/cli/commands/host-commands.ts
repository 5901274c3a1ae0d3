import type { Command } from 'commander'
import {
  historyPageSchema,
  hostPageSchema,
  hostSchema,
  hostStateSchema,
  type WireHost,
} from '../../api/native/contract.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { collectPages } from './collect-pages.ts'
import { registerHostAdd } from './host-add.ts'
import { historyToText, hostsToText, hostToText } from './host-text.ts'

/** `host add`, `list`, `show`, `check`, `renew`, `remove` */
export function registerHostCommands(program: Command, context: CommandContext): void {
  const host = program.command('host').description('The names that customers point at us.')
  registerHostAdd(host, context)
  registerList(host, context)
  registerShow(host, context)
  registerDeed(host, context, {
    name: 'check',
    description: 'Looks at DNS and port 80 now.',
    request: (path) => ({ method: 'POST', path: `${path}/check` }),
  })
  registerDeed(host, context, {
    name: 'renew',
    description: 'Replaces the certificate now.',
    request: (path) => ({ method: 'POST', path: `${path}/renew` }),
  })
  registerDeed(host, context, {
    name: 'remove',
    description: 'Retires a host and destroys its keys.',
    request: (path) => ({ method: 'DELETE', path }),
  })
}

interface ListOptions extends CommonOptions {
  readonly state?: string
  readonly q?: string
  readonly account?: string
  readonly limit: string
}

function registerList(host: Command, context: CommandContext): void {
  withServerOptions(host.command('list'))
    .description('Lists hosts by name.')
    .option('--state <state>', hostStateSchema.options.join(', '))
    .option('--q <text>', 'only names that contain this')
    .option('--account <account>', 'only those of this account')
    .option('--limit <count>', 'at most so many', '1000')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, q, account } = options
      const client = await clientOf(context, options)
      const found = await collectPages(context, options, (page) =>
        client.call({
          path: '/hosts',
          query: { ...page, state, q, account },
          answer: hostPageSchema,
        }),
      )
      printResult(context, options, { data: found, text: () => hostsToText(found.items) })
    })
}

interface ShowOptions extends CommonOptions {
  readonly history?: true
}

function registerShow(host: Command, context: CommandContext): void {
  withServerOptions(host.command('show'))
    .description('Shows one host: its state, why, and what to do.')
    .argument('<host>')
    .option('--history', 'and every step it took')
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<ShowOptions>()
      const client = await clientOf(context, options)
      const path = `/hosts/${encodeURIComponent(name)}`
      const shown = await client.call({ path, answer: hostSchema })
      const now = context.ports.clock.now()
      if (!options.history) {
        printResult(context, options, { data: shown, text: () => hostToText(shown, now) })
        return
      }
      const { items } = await client.call({
        path: `${path}/history`,
        query: { limit: 1000 },
        answer: historyPageSchema,
      })
      printResult(context, options, {
        data: { ...shown, history: items },
        text: () => `${hostToText(shown, now)}history\n${historyToText(items)}`,
      })
    })
}

interface Deed {
  readonly name: string
  readonly description: string
  readonly request: (path: string) => { readonly method: 'POST' | 'DELETE'; readonly path: string }
}

function registerDeed(host: Command, context: CommandContext, deed: Deed): void {
  withServerOptions(host.command(deed.name))
    .description(deed.description)
    .argument('<host>')
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const client = await clientOf(context, options)
      const request = deed.request(`/hosts/${encodeURIComponent(name)}`)
      const done: WireHost = await context.terminal.progress(
        () => `${deed.name} ${name}`,
        () => client.call({ ...request, answer: hostSchema }),
      )
      const now = context.ports.clock.now()
      printResult(context, options, { data: done, text: () => hostToText(done, now) })
    })
}
