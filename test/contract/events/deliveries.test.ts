import { expect, it } from 'vitest'
import { hours, minutes } from '../../../src/kernel/index.ts'
import { describeEachStore } from '../../support/stores.ts'
import {
  createEventsWorld,
  received,
  setUp,
  startReceiver,
  tellMany,
  until,
  waiting,
} from './world.ts'

describeEachStore((openTestStore) => {
  it('keeps the order of an account, one event at a time', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(await openTestStore(), owner)
    let open = 0
    let most = 0
    receiver.answer((_, response) => {
      open += 1
      most = Math.max(most, open)
      setTimeout(() => {
        open -= 1
        response.end()
      }, 1)
    })
    const ids = await tellMany(world, 50)
    await waiting(world, 0)
    expect(receiver.ids()).toEqual(ids)
    expect(most).toBe(1)
  })

  it('leaves a receiver that is away alone, then delivers everything in order', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(await openTestStore(), owner)
    receiver.answer(503)
    const ids = await tellMany(world, 5)
    await received(receiver, 1)
    await until(async () => {
      const shown = await world.webhooks.show('default')
      expect(shown).toMatchObject({ waiting: 5, failures: 1 })
      expect(shown?.problem).toBe('The receiver answered 503.')
    })
    const shown = await world.webhooks.show('default')
    const pause = (shown?.nextAttemptAt?.getTime() ?? 0) - world.clock.now().getTime()
    expect(pause).toBeGreaterThanOrEqual(minutes(10))
    expect(pause).toBeLessThanOrEqual(minutes(11))

    // Nothing is sent meanwhile, not even what is new.
    const late = await world.tell()
    world.pass(minutes(9))
    await world.webhooks.status()
    expect(receiver.received).toHaveLength(1)

    receiver.answer(200)
    world.pass(minutes(2))
    await waiting(world, 0)
    expect(receiver.ids()).toEqual([ids[0], ...ids, late.id])
    expect(receiver.received.map(({ attempt }) => attempt)).toEqual([1, 2, 1, 1, 1, 1, 1])
    expect(world.logged.filter((event) => event === 'webhook-failed')).toHaveLength(1)
    expect(world.logged).toContain('webhook-well-again')
    expect(await world.webhooks.show('default')).toMatchObject({ failures: 0, problem: undefined })
  })

  it('lets others pass one event that is refused, and tries that one again', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(await openTestStore(), owner)
    receiver.answer(({ body }, response) => {
      response.writeHead(body['event-data'].event === 'failing' ? 500 : 200).end('Bug <br>')
    })
    const first = await world.tell()
    const poison = await world.tell({ kind: 'failing' })
    const third = await world.tell()
    await waiting(world, 1)
    expect(receiver.ids()).toEqual([first.id, poison.id, third.id])
    receiver.answer(200)
    world.pass(minutes(11))
    await waiting(world, 0)
    expect(receiver.ids()).toEqual([first.id, poison.id, third.id, poison.id])
    expect(receiver.received.at(-1)).toMatchObject({ attempt: 2 })
  })

  it('takes a receiver that refuses three in a row for ill, and tries it with others', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(await openTestStore(), owner)
    receiver.answer(({ body }, response) => {
      response.writeHead(body['event-data'].event === 'failing' ? 500 : 200).end()
    })
    for (let index = 0; index < 4; index += 1) await world.tell({ kind: 'failing' })
    await received(receiver, 3)
    await until(async () => {
      expect(await world.webhooks.show('default')).toMatchObject({ failures: 3, waiting: 4 })
    })
    const good = await world.tell({ kind: 'renewed' })
    expect(receiver.received).toHaveLength(3)
    // Before the refused ones are tried again, those behind them have come through.
    world.pass(minutes(12))
    await until(() => expect(receiver.ids()).toContain(good.id))
    await waiting(world, 4)
    expect(receiver.received).toHaveLength(5)
    receiver.answer(200)
    world.pass(minutes(24))
    await waiting(world, 0)
  })

  it('never sends again what was answered with 406', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(await openTestStore(), owner)
    receiver.answer(406)
    await world.tell()
    await until(async () => {
      expect(await world.webhooks.show('default')).toMatchObject({ waiting: 0, givenUp: 1 })
    })
    world.pass(hours(80))
    expect(receiver.received).toHaveLength(1)
    expect((await world.webhooks.show('default'))?.problem).toContain('answered 406')
    expect(await world.metric('postern_webhook_given_up_total', { cause: 'rejected' })).toBe(1)
  })

  it('tries for three days, then gives up, and goes on with what is younger', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(await openTestStore(), owner)
    receiver.answer(503)
    await tellMany(world, 3)
    const attempt = async (): Promise<void> => {
      const before = (await world.webhooks.show('default'))?.problemAt
      const next = (await world.webhooks.show('default'))?.nextAttemptAt
      if (!next) return
      world.pass(Math.max(0, next.getTime() - world.clock.now().getTime()))
      await until(async () => {
        expect((await world.webhooks.show('default'))?.problemAt).not.toEqual(before)
      })
    }
    await received(receiver, 1)
    for (let tries = 0; tries < 12; tries += 1) await attempt()
    const young = await world.tell()
    while (((await world.webhooks.show('default'))?.givenUp ?? 0) === 0) await attempt()
    // One event was tried for all of them: what speaks against one speaks against all.
    expect(receiver.received.length).toBeGreaterThanOrEqual(14)
    expect(receiver.received.length).toBeLessThanOrEqual(16)
    expect(await world.webhooks.show('default')).toMatchObject({ waiting: 1, givenUp: 3 })
    expect(await world.metric('postern_webhook_given_up_total', { cause: 'too-old' })).toBe(3)
    receiver.answer(200)
    world.pass(hours(9))
    await waiting(world, 0)
    expect(receiver.ids().at(-1)).toBe(young.id)
  })

  it('does not go where a receiver redirects it to', async () => {
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(await openTestStore(), owner)
    const inside = owner.use(await startReceiver())
    receiver.answer((_, response) => {
      response.writeHead(302, { location: inside.url() }).end()
    })
    await world.tell()
    await until(async () => {
      expect((await world.webhooks.show('default'))?.problem).toContain('not followed')
    })
    expect(inside.received).toEqual([])
  })

  it('waits for the answer to what it sent when it is stopped, and sends no more', async () => {
    const store = await openTestStore()
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(store, owner)
    const holding = Promise.withResolvers<() => void>()
    receiver.answer((_, response) => holding.resolve(() => void response.end()))
    const ids = await tellMany(world, 2)
    const answerNow = await holding.promise
    const stopped = world[Symbol.asyncDispose]()
    answerNow()
    await stopped
    receiver.answer(200)
    const next = owner.use(createEventsWorld(store, { clock: world.clock }))
    next.start()
    await waiting(next, 0)
    expect(receiver.ids()).toEqual(ids)
  })

  it('does not wait for ever when it is stopped: what was not answered is sent again', async () => {
    const store = await openTestStore()
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(store, owner)
    const sent = Promise.withResolvers<void>()
    receiver.answer(() => sent.resolve())
    const { id } = await world.tell()
    await sent.promise
    await world.end()
    receiver.answer(200)
    const next = owner.use(createEventsWorld(store, { clock: world.clock }))
    next.start()
    await waiting(next, 0)
    expect(receiver.ids()).toEqual([id, id])
  })

  it('delivers once, however many nodes look', async () => {
    const store = await openTestStore()
    await using owner = new AsyncDisposableStack()
    const { receiver, world } = await setUp(store, owner)
    for (let node = 0; node < 3; node += 1) {
      owner.use(createEventsWorld(store, { clock: world.clock })).start()
    }
    await world.clock.advance(1)
    const ids: string[] = []
    for (let index = 0; index < 40; index += 1) {
      ids.push((await world.tell()).id)
      if (index % 10 === 0) await world.clock.advance(1000)
    }
    world.pass(1000)
    await waiting(world, 0)
    expect(receiver.ids()).toEqual(ids)
  })
})
