import { createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { hours } from '../../../src/kernel/index.ts'
import { describeEachStore } from '../../support/stores.ts'
import {
  createEventsWorld,
  isSigned,
  received,
  setUp,
  startReceiver,
  tellMany,
  until,
  waiting,
} from './world.ts'

describeEachStore((openTestStore) => {
  it("delivers an event in Mailgun's form, signed", async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world, key } = await setUp(await openTestStore(), owner)
    const reason = { code: 'dns/wrong-target', sentence: 'It points elsewhere.', fix: 'Point it.' }
    const event = await world.tell({ kind: 'failing', data: { reason, id: 'not this one' } })
    await received(receiver, 1)
    const [one] = receiver.received
    if (!one) throw new Error('nothing')
    expect(one.body['event-data']).toEqual({
      ...{ id: event.id, event: 'failing', timestamp: event.at.getTime() / 1000, reason },
      ...{ account: 'default', host: 'email.customer.com' },
    })
    expect(one.headers).toMatchObject({
      ...{ 'content-type': 'application/json', 'webhook-id': event.id, 'postern-attempt': '1' },
    })
    expect(isSigned(one, key)).toBe(true)
    expect(isSigned(one, `${key}x`)).toBe(false)
    const secret = Buffer.from(key.replace('whsec_', ''), 'base64')
    const signed = `${event.id}.${one.headers['webhook-timestamp']}.${one.text}`
    const standard = createHmac('sha256', secret).update(signed).digest('base64')
    expect(one.headers['webhook-signature']).toBe(`v1,${standard}`)

    await waiting(world, 0)
    const shown = await world.webhooks.show('default')
    expect(shown).toMatchObject({ givenUp: 0, problem: undefined, nextAttemptAt: undefined })
    expect(shown?.deliveredAt).toEqual(world.clock.now())
    expect(await world.metric('postern_webhook_deliveries_total', { outcome: 'delivered' })).toBe(1)
  })

  it('shows no key but once, and none to whoever reads the database', async () => {
    const store = await openTestStore()
    await using owner = new AsyncDisposableStack()
    const { receiver, world, key } = await setUp(store, owner)
    expect(key).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(JSON.stringify(await world.webhooks.show('default'))).not.toContain(key.slice(6))
    const row = await store.db.selectFrom('webhooks').selectAll().executeTakeFirstOrThrow()
    const bytes = Buffer.from(key.slice(6), 'base64')
    expect(row.sealed_key.includes(bytes)).toBe(false)
    const { signingKey } = await world.webhooks.set('default', receiver.url())
    expect(signingKey.reveal()).not.toBe(key)
    expect(String(signingKey)).toBe('[redacted]')
  })

  it('tells only the account whose event it is, and nobody of what was before', async () => {
    await using owner = new AsyncDisposableStack()
    const receiver = owner.use(await startReceiver())
    const world = owner.use(createEventsWorld(await openTestStore()))
    world.start()
    await world.tell({ account: 'one' })
    await world.webhooks.set('one', receiver.url('/one'))
    await world.webhooks.set('two', receiver.url('/two'))
    const one = await world.tell({ account: 'one' })
    const two = await world.tell({ account: 'two' })
    await world.tell({ account: 'three' })
    await received(receiver, 2)
    await until(async () => expect((await world.webhooks.status()).waiting).toBe(0))
    expect(receiver.ids('/one')).toEqual([one.id])
    expect(receiver.ids('/two')).toEqual([two.id])
  })

  it('sends what waits to the new place when the webhook is changed', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(await openTestStore(), owner)
    receiver.answer(500)
    const ids = await tellMany(world, 4)
    await until(async () => {
      expect(await world.webhooks.show('default')).toMatchObject({ failures: 3 })
    })
    const other = owner.use(await startReceiver())
    const { signingKey } = await world.webhooks.set('default', other.url('/new'))
    world.pass(1000)
    await waiting(world, 0)
    expect(other.ids()).toEqual(ids)
    expect(other.received.every((one) => isSigned(one, signingKey.reveal()))).toBe(true)
    expect(await world.webhooks.show('default')).toMatchObject({ failures: 0, problem: undefined })
  })

  it('sends nothing more to the old place, even in the midst of a turn', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(await openTestStore(), owner)
    const other = owner.use(await startReceiver())
    const holding = Promise.withResolvers<() => void>()
    receiver.answer((_, response) => holding.resolve(() => void response.writeHead(500).end()))
    const ids = await tellMany(world, 3)
    const answerNow = await holding.promise
    await world.webhooks.set('default', other.url())
    answerNow()
    world.pass(1000)
    await waiting(world, 0)
    expect(receiver.received).toHaveLength(1)
    expect(other.ids()).toEqual(ids)
    expect(await world.webhooks.show('default')).toMatchObject({ failures: 0, problem: undefined })
  })

  it('gives up what waits when the webhook is removed', async () => {
    const store = await openTestStore()
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(store, owner)
    receiver.answer(503)
    await tellMany(world, 2)
    await received(receiver, 1)
    await until(async () => expect((await world.webhooks.show('default'))?.failures).toBe(1))
    expect(await world.webhooks.remove('default')).toBe(true)
    expect(await world.webhooks.remove('default')).toBe(false)
    expect(await world.webhooks.show('default')).toBeUndefined()
    expect(await world.webhooks.status()).toEqual({
      waiting: 0,
      waitingSince: undefined,
      failing: 0,
    })
    receiver.answer(200)
    await world.webhooks.set('default', receiver.url())
    world.pass(hours(1))
    await world.tell()
    await received(receiver, 2)
    await waiting(world, 0)
    expect(receiver.received).toHaveLength(2)
  })

  it('does not take a URL that leads inside, or is none', async () => {
    const world = createEventsWorld(await openTestStore())
    for (const url of ['https://10.0.0.1/', 'https://[::1]/', 'https://localhost/', 'nonsense']) {
      await expect(world.webhooks.set('default', url)).rejects.toMatchObject({
        code: 'events/bad-url',
      })
    }
    expect(await world.webhooks.show('default')).toBeUndefined()
  })

  it('shows at once how a test event is taken, and goes on when it is', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world, key } = await setUp(await openTestStore(), owner)
    receiver.answer((_, response) => void response.writeHead(401).end('who are you?\n'))
    await world.tell()
    await until(async () => expect((await world.webhooks.show('default'))?.failures).toBe(1))
    expect(await world.webhooks.test('default')).toMatchObject({
      ...{ status: 401, problem: 'The receiver answered 401: “who are you?”.' },
    })
    expect((await world.webhooks.show('default'))?.waiting).toBe(1)
    receiver.answer(200)
    const tested = await world.webhooks.test('default')
    expect(tested).toMatchObject({ status: 200, problem: undefined })
    const test = receiver.received.find(({ id }) => id === tested.eventId)
    if (!test) throw new Error('no test event')
    expect(test.body['event-data']).toMatchObject({ event: 'test', account: 'default' })
    expect(isSigned(test, key)).toBe(true)
    world.pass(1000)
    await waiting(world, 0)
    await expect(world.webhooks.test('nobody')).rejects.toMatchObject({ code: 'events/no-webhook' })
  })

  it('says so when the signing key does not open, and sends nothing unsigned', async () => {
    const store = await openTestStore()
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(store, owner)
    const { sealed_key } = await store.db
      .selectFrom('webhooks')
      .select('sealed_key')
      .executeTakeFirstOrThrow()
    const altered = Buffer.from(sealed_key)
    altered[100] = (altered[100] ?? 0) ^ 1
    await store.db.updateTable('webhooks').set({ sealed_key: altered }).execute()
    await world.tell()
    await until(async () => {
      expect((await world.webhooks.show('default'))?.problem).toContain('set the webhook anew')
    })
    expect(world.logged).toContain('webhook-key-unreadable')
    await world.webhooks.set('default', receiver.url())
    world.pass(1000)
    await waiting(world, 0)
    expect(receiver.received).toHaveLength(1)
  })
})
