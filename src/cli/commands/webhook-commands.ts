import type { Command } from 'commander'
import {
  ACCOUNT_DEFAULT,
  removedWebhookSchema,
  setWebhookSchema,
  type WireWebhook,
  webhookSchema,
  webhookTestSchema,
} from '../../api/native/contract.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { EXIT } from '../output/exit-code.ts'
import { toInstant } from '../output/instant.ts'
import { printable } from '../output/printable.ts'
import { toFacts } from '../output/table.ts'

interface WebhookOptions extends CommonOptions {
  readonly account: string
}

/** `webhook set`, `show`, `test`, `remove`: where an account is told what happens. */
export function registerWebhookCommands(program: Command, context: CommandContext): void {
  const webhook = program
    .command('webhook')
    .description('Where an account is told what happens to its hosts.')
  registerSet(webhook, context)
  registerShow(webhook, context)
  registerTest(webhook, context)
  registerRemove(webhook, context)
}

function withAccount(command: Command): Command {
  return withServerOptions(command).option('--account <account>', 'whose it is', ACCOUNT_DEFAULT)
}

function pathOf({ account }: WebhookOptions): string {
  return `/accounts/${encodeURIComponent(account)}/webhook`
}

function registerSet(webhook: Command, context: CommandContext): void {
  withAccount(webhook.command('set'))
    .description('Sets the address, and shows the key that signs deliveries: this once.')
    .argument('<address>', 'an https URL that takes POST')
    .action(async (url: string, _options, command: Command) => {
      const options = command.optsWithGlobals<WebhookOptions>()
      const client = await clientOf(context, options)
      const request = { path: pathOf(options), body: { url }, answer: setWebhookSchema } as const
      const set = await client.call({ method: 'PUT', ...request })
      printResult(context, options, {
        data: set,
        text: () =>
          `${toFacts([
            ['account', set.account],
            ['address', set.url],
            ['signing key', set.signingKey],
          ])}Keep the key: it is not shown again. Try it: postern webhook test --account ${set.account}\n`,
      })
    })
}

function registerShow(webhook: Command, context: CommandContext): void {
  withAccount(webhook.command('show'))
    .description('Shows the address, and how deliveries go.')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<WebhookOptions>()
      const client = await clientOf(context, options)
      const shown = await client.call({ path: pathOf(options), answer: webhookSchema })
      const now = context.ports.clock.now()
      printResult(context, options, { data: shown, text: () => webhookToText(shown, now) })
    })
}

function webhookToText(webhook: WireWebhook, now: Date): string {
  const { waiting, waitingSince, givenUp, problem, problemAt, failures } = webhook
  return toFacts([
    ['account', webhook.account],
    ['address', webhook.url],
    ['set', toInstant(webhook.createdAt, now)],
    ['last delivered', toInstant(webhook.deliveredAt, now) ?? 'never'],
    ['waiting', `${waiting}${waitingSince ? `, since ${toInstant(waitingSince, now)}` : ''}`],
    ['given up', givenUp === 0 ? undefined : String(givenUp)],
    ['problem', problem ?? undefined],
    ['seen', problem === null ? undefined : toInstant(problemAt, now)],
    ['failed in a row', failures === 0 ? undefined : String(failures)],
    ['next try', toInstant(webhook.nextAttemptAt, now)],
  ])
}

function registerTest(webhook: Command, context: CommandContext): void {
  withAccount(webhook.command('test'))
    .description('Delivers one event now; exit code 1 if nobody takes it.')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<WebhookOptions>()
      const client = await clientOf(context, options)
      const path = `${pathOf(options)}/test`
      const test = await context.terminal.progress(
        () => 'Delivering',
        () => client.call({ method: 'POST', path, answer: webhookTestSchema }),
      )
      const { delivered, status, problem, ms, eventId } = test
      printResult(context, options, {
        data: test,
        text: () =>
          delivered
            ? `Delivered in ${Math.round(ms)} ms: event ${eventId}, answered with ${status}.\n`
            : `Not delivered: ${printable(problem ?? 'no reason was told')}\n`,
      })
      if (!delivered) context.finish(EXIT.failed)
    })
}

function registerRemove(webhook: Command, context: CommandContext): void {
  withAccount(webhook.command('remove'))
    .description('Tells the account no more.')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<WebhookOptions>()
      const client = await clientOf(context, options)
      const request = { path: pathOf(options), answer: removedWebhookSchema }
      const removed = await client.call({ method: 'DELETE', ...request })
      printResult(context, options, {
        data: removed,
        text: () => (removed.removed ? 'Removed.\n' : 'There was none.\n'),
      })
    })
}
