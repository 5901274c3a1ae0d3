import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, vi } from 'vitest'
import {
  createEventLog,
  createWebhooks,
  type EventDraft,
  type EventLog,
  type Webhooks,
} from '../../../src/events/index.ts'
import { type Clock, newId, type Periodic, seconds } from '../../../src/kernel/index.ts'
import { createGuardedFetch, createResolver, type GuardedFetch } from '../../../src/net/index.ts'
import { netOptions } from '../../../src/net/options.ts'
import type { Store } from '../../../src/store/index.ts'
import { createEventsRecord, createMetrics } from '../../../src/telemetry/index.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { aVault } from '../../support/vaults.ts'

/** One request as a receiver got it. */
export interface Received {
  readonly path: string
  readonly id: string
  readonly attempt: number
  readonly headers: IncomingMessage['headers']
  readonly body: { readonly signature: Record<string, string>; readonly 'event-data': EventData }
  readonly text: string
}

type EventData = Readonly<Record<string, unknown>> & { readonly id: string; readonly event: string }

/** A real HTTP server on loopback that takes webhooks and answers as it is told. */
export interface TestReceiver extends AsyncDisposable {
  readonly received: Received[]
  url(path?: string): string
  /** How to answer from now on: a status, or by hand. */
  answer(how: Answer): void
  /** Ids in the order in which they came. */
  ids(path?: string): readonly string[]
}

export type Answer = number | ((received: Received, response: ServerResponse) => void)

export async function startReceiver(): Promise<TestReceiver> {
  const received: Received[] = []
  let answer: Answer = 200
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const one: Received = {
      path: request.url ?? '',
      id: String(request.headers['webhook-id']),
      attempt: Number(request.headers['postern-attempt']),
      headers: request.headers,
      body: JSON.parse(body),
      text: body,
    }
    received.push(one)
    if (typeof answer === 'number') response.writeHead(answer).end()
    else answer(one, response)
  }
  const server = createServer((request, response) => {
    take(request, response).then(undefined, () => response.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    received,
    url: (path = '/') => `http://127.0.0.1:${port}${path}`,
    answer: (how) => {
      answer = how
    },
    ids: (path) =>
      received.filter((one) => path === undefined || one.path === path).map(({ id }) => id),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Goes to loopback, over http too. */
export function loopbackFetch(): GuardedFetch {
  return createGuardedFetch(
    { resolver: createResolver({ dns: 'system' }) },
    netOptions.parse({ allowPrivate: '127.0.0.0/8', allowHttp: true }),
  )
}

export interface EventsWorld extends AsyncDisposable {
  readonly clock: FakeClock
  readonly events: EventLog
  readonly webhooks: Webhooks
  readonly logged: string[]
  /** Starts delivering. */
  start(): Periodic
  /** Writes an event down and looks at once for what is due. */
  tell(event?: Partial<EventDraft>): Promise<EventDraft>
  /** Lets time pass at one blow, and looks again. */
  pass(ms: number): void
  metric(name: string, labels?: Record<string, string>): Promise<number>
  /** Ends it, while the patience with those who do not answer passes. */
  end(): Promise<void>
}

export function createEventsWorld(
  store: Store,
  {
    fetch = loopbackFetch(),
    clock: standing = createFakeClock(),
  }: { readonly fetch?: GuardedFetch; readonly clock?: FakeClock } = {},
): EventsWorld {
  // The loop looks every second: to let days pass second by second would take minutes.
  let leaptMs = 0
  const clock: FakeClock = {
    ...standing,
    now: () => new Date(standing.now().getTime() + leaptMs),
  }
  const random = createSeededRandom()
  const metrics = createMetrics()
  const logged: string[] = []
  const note = (event: string): void => void logged.push(event)
  const record = createEventsRecord({
    log: { debug: () => undefined, info: note, warn: note, error: note },
    metrics,
  })
  const running = new AsyncDisposableStack()
  const events = createEventLog({ store, clock, record }, { keepFor: DAYS_400 })
  const webhooks = createWebhooks({ store, vault: aVault(), fetch, clock, random, record })
  let loop: Periodic | undefined
  return {
    ...{ clock, events, webhooks, logged },
    start: () => {
      loop = running.use(webhooks.start())
      return loop
    },
    tell: async (wishes = {}) => {
      const event = anEvent(clock, wishes)
      await events.append(event)
      loop?.wake()
      return event
    },
    pass: (ms) => {
      leaptMs += ms
      loop?.wake()
    },
    metric: async (name, labels = {}) => {
      const found = (await metrics.snapshot()).find((one) => Reflect.get(one, 'name') === name)
      const { values } = found as unknown as {
        values: { value: number; labels: Record<string, string> }[]
      }
      const wanted = Object.entries(labels)
      return values
        .filter((each) => wanted.every(([label, value]) => each.labels[label] === value))
        .reduce((sum, { value }) => sum + value, 0)
    },
    end: async () => {
      const ended = running.disposeAsync()
      // When the patience begins depends on a round that is under way.
      const notYet = Promise.resolve('not yet')
      while ((await Promise.race([ended, notYet])) === 'not yet') await clock.advance(seconds(1))
      await ended
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

const DAYS_400 = (400 * 86_400_000) as never
let count = 0

/** An event of the account 'default'; the ids of later ones sort behind those of earlier ones. */
export function anEvent(clock: Clock, wishes: Partial<EventDraft> = {}): EventDraft {
  count += 1
  const random = {
    fraction: () => 0,
    bytes: () => Buffer.from(count.toString(16).padStart(20, '0'), 'hex'),
  }
  return {
    id: newId({ clock, random }),
    at: clock.now(),
    account: 'default',
    kind: 'issued',
    hostname: 'email.customer.com',
    data: { sentence: 'It has a certificate.' },
    ...wishes,
  }
}

/** As Mailgun's SDKs check it. */
export function isSigned({ body }: Received, signingKey: string): boolean {
  const { timestamp = '', token = '', signature } = body.signature
  const expected = createHmac('sha256', signingKey).update(timestamp.concat(token)).digest('hex')
  return signature === expected
}

/** Waits for real I/O, as long as it takes on a busy machine. */
export function until(assertion: () => void | Promise<void>, timeoutMs = 30_000): Promise<void> {
  return vi.waitFor(assertion, { timeout: timeoutMs, interval: 10 })
}

/** Postern with a webhook of the account 'default' that goes to a receiver. */
export async function setUp(store: Store, owner: AsyncDisposableStack) {
  const receiver = owner.use(await startReceiver())
  const world = owner.use(createEventsWorld(store))
  const { signingKey } = await world.webhooks.set('default', receiver.url())
  world.start()
  return { receiver, world, key: signingKey.reveal() }
}

/** Tells so many events; returns their ids. */
export const tellMany = async (world: EventsWorld, count: number): Promise<readonly string[]> => {
  const ids: string[] = []
  for (let index = 0; index < count; index += 1) ids.push((await world.tell()).id)
  return ids
}
/** Waits until so many requests have come. */
export const received = (receiver: TestReceiver, count: number): Promise<void> =>
  until(() => expect(receiver.received.length).toBeGreaterThanOrEqual(count))
/** Waits until so many events of 'default' wait. */
export const waiting = (world: EventsWorld, count: number): Promise<void> =>
  until(async () => expect((await world.webhooks.show('default'))?.waiting).toBe(count))
