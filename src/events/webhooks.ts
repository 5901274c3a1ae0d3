import { type Clock, newId, type Periodic, type Random, Redacted } from '../kernel/index.ts'
import type { GuardedFetch } from '../net/index.ts'
import type { Store } from '../store/index.ts'
import type { EventsRecord } from '../telemetry/index.ts'
import type { Vault } from '../vault/index.ts'
import { createDeliver } from './deliver.ts'
import { startDeliveries } from './deliveries.ts'
import { EventsError } from './errors.ts'
import type { AccountEvent } from './event.ts'
import { makeSigningKey, openSigningKey } from './signing-key.ts'
import { createTurnTable } from './turn-table.ts'
import type { Webhook, WebhooksStatus, WebhookTest } from './webhook.ts'
import { createWebhookTable } from './webhook-table.ts'

/** Tells accounts what happens, at one URL each: signed, at least once, for three days. */
export interface Webhooks {
  /**
   * Says where an account is told from now on, and makes a new key, which is shown this once. What
   * waits goes to the new place. Throws 'events/bad-url'.
   */
  set(account: string, url: string): Promise<{ readonly signingKey: Redacted<string> }>
  show(account: string): Promise<Webhook | undefined>
  /** Whether there was one. What waits is given up. */
  remove(account: string): Promise<boolean>
  /**
   * Sends a test event now, and once. If it is taken, what waits is due at once. Throws
   * 'events/no-webhook'.
   */
  test(account: string, signal?: AbortSignal): Promise<WebhookTest>
  status(): Promise<WebhooksStatus>
  /** Delivers until it is disposed. `wake` looks at once for what is due, not within a second. */
  start(): Periodic
}

interface WebhooksDeps {
  readonly store: Pick<Store, 'db' | 'transaction' | 'engine'>
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly fetch: GuardedFetch
  readonly clock: Clock
  readonly random: Random
  readonly record: EventsRecord
}

export function createWebhooks(deps: WebhooksDeps): Webhooks {
  const { vault, fetch, clock, random, record } = deps
  const table = createWebhookTable(deps)
  const deliver = createDeliver(deps)

  return {
    set: async (account, url) => {
      const refusal = fetch.judge(url)
      if (refusal) throw badUrl(refusal.sentence)
      const { sealed, text } = makeSigningKey({ vault, random }, account)
      await table.put(account, { url, sealedKey: sealed })
      record.webhookSet({ account })
      return { signingKey: new Redacted(text) }
    },
    show: table.describe,
    remove: async (account) => {
      const count = await table.remove(account, 'The webhook was removed.')
      if (count !== undefined) record.dropped({ account, count })
      return count !== undefined
    },
    test: async (account, signal) => {
      const webhook = await table.find(account)
      if (!webhook) throw noWebhook(account)
      const startedMs = clock.monotonicMs()
      const event = aTestEvent(account, deps)
      const key = openSigningKey(vault, account, webhook.sealedKey)
      try {
        const receiver = { url: webhook.url, key }
        const outcome = await deliver(receiver, event, 1, signal ?? new AbortController().signal)
        if (outcome.kind === 'delivered') await table.recover(account)
        const problem = outcome.kind === 'delivered' ? undefined : outcome.problem
        const ms = Math.round(clock.monotonicMs() - startedMs)
        return { eventId: event.id, status: outcome.status, problem, ms }
      } finally {
        key.fill(0)
      }
    },
    status: table.status,
    start: () => startDeliveries({ ...deps, table, turns: createTurnTable(deps), deliver }),
  }
}

/** An event of no consequence. It is not written down. */
function aTestEvent(
  account: string,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): AccountEvent {
  return {
    ...{ id: newId({ clock, random }), at: clock.now(), account, kind: 'test' },
    hostname: undefined,
    data: { message: 'Somebody tried this webhook.' },
  }
}

function badUrl(sentence: string): EventsError {
  return new EventsError('events/bad-url', sentence, {
    fix: 'Give an https URL of a host on the public internet.',
  })
}

function noWebhook(account: string): EventsError {
  return new EventsError('events/no-webhook', `The account ${account} has no webhook.`, {
    fix: 'Set one first.',
  })
}
