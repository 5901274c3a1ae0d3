import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { ApiError } from '../errors.ts'
import type { ApiPorts } from '../ports.ts'
import {
  accountPageSchema,
  accountParams,
  accountsQuery,
  errorSchema,
  eventPageSchema,
  eventsQuery,
  noBody,
  removedWebhookSchema,
  setWebhookBody,
  setWebhookSchema,
  webhookSchema,
  webhooksStatusSchema,
  webhookTestSchema,
} from './contract.ts'
import { requireHostname } from './names.ts'
import {
  accountToWire,
  eventToWire,
  pageToWire,
  webhookTestToWire,
  webhookToWire,
} from './to-wire.ts'

type AccountRoutesDeps = Pick<ApiPorts, 'accounts' | 'webhooks' | 'events'>

/** Accounts, where each is told what happens, and what happened. */
export function accountRoutes(deps: AccountRoutesDeps): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    readRoutes(app, deps)
    webhookRoutes(app, deps)
    webhookTrialRoutes(app, deps)
    done()
  }
}

type ZodApp = Parameters<FastifyPluginCallbackZod>[0]

function readRoutes(app: ZodApp, { accounts, events }: AccountRoutesDeps): void {
  app.get(
    '/accounts',
    {
      schema: {
        operationId: 'listAccounts',
        summary: 'Accounts, page by page',
        querystring: accountsQuery,
        response: { 200: accountPageSchema, default: errorSchema },
      },
    },
    async ({ query }) => pageToWire(await accounts.page(query), accountToWire),
  )
  app.get(
    '/events',
    {
      schema: {
        operationId: 'listEvents',
        summary: 'What happened to hosts and certificates, newest first',
        querystring: eventsQuery,
        response: { 200: eventPageSchema, default: errorSchema },
      },
    },
    async ({ query: { host, ...query } }) => {
      const hostname = host === undefined ? undefined : requireHostname(host)
      return pageToWire(await events.page({ ...query, hostname }), eventToWire)
    },
  )
}

function webhookRoutes(app: ZodApp, { accounts, webhooks }: AccountRoutesDeps): void {
  const path = '/accounts/:account/webhook'
  app.put(
    path,
    {
      schema: {
        operationId: 'setWebhook',
        summary: 'Where an account is told; the answer shows the signing key, this once',
        params: accountParams,
        body: setWebhookBody,
        response: { 200: setWebhookSchema, default: errorSchema },
      },
    },
    async ({ params: { account }, body: { url } }) => {
      await requireAccount(accounts, account)
      const { signingKey } = await webhooks.set(account, url)
      return { account, url, signingKey: signingKey.reveal() }
    },
  )
  app.get(
    path,
    {
      schema: {
        operationId: 'showWebhook',
        summary: 'Where an account is told, and how that goes',
        params: accountParams,
        response: { 200: webhookSchema, default: errorSchema },
      },
    },
    async ({ params: { account } }) => {
      const webhook = await webhooks.show(account)
      if (!webhook) throw noWebhook(account)
      return webhookToWire(account, webhook)
    },
  )
  app.delete(
    path,
    {
      schema: {
        operationId: 'removeWebhook',
        summary: 'Tells an account no more; again changes nothing',
        params: accountParams,
        body: noBody,
        response: { 200: removedWebhookSchema, default: errorSchema },
      },
    },
    async ({ params: { account } }) => ({ account, removed: await webhooks.remove(account) }),
  )
}

function webhookTrialRoutes(app: ZodApp, { webhooks }: AccountRoutesDeps): void {
  app.get(
    '/webhooks',
    {
      schema: {
        operationId: 'showWebhooks',
        summary: 'How deliveries to all accounts go',
        response: { 200: webhooksStatusSchema, default: errorSchema },
      },
    },
    async () => {
      const { waiting, waitingSince, failing } = await webhooks.status()
      return { waiting, waitingSince: waitingSince?.toISOString() ?? null, failing }
    },
  )
  app.post(
    '/accounts/:account/webhook/test',
    {
      schema: {
        operationId: 'testWebhook',
        summary: 'Delivers one event now, and says how that went',
        params: accountParams,
        body: noBody,
        response: { 200: webhookTestSchema, default: errorSchema },
      },
    },
    async ({ params: { account } }) => {
      if (!(await webhooks.show(account))) throw noWebhook(account)
      return webhookTestToWire(await webhooks.test(account))
    },
  )
}

async function requireAccount(accounts: ApiPorts['accounts'], account: string): Promise<void> {
  if (await accounts.find(account)) return
  throw new ApiError('accounts/not-found', `There is no account ${account}.`, {
    fix: `An account comes with its first host: postern host add HOST --account ${account}.`,
  })
}

function noWebhook(account: string): ApiError {
  return new ApiError('events/no-webhook', `The account ${account} has no webhook.`, {
    fix: `Set one: postern webhook set URL --account ${account}.`,
  })
}
