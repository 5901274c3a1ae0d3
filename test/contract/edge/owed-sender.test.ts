import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createOwedSender, type OwedRequest } from '../../../src/edge/index.ts'

const OWED: OwedRequest = {
  ...{ id: 'ab'.repeat(16), at: new Date('2026-11-22T12:00:00Z'), hostname: 'email.customer.test' },
  ...{ target: '/o/x', scheme: 'https', port: 443, address: '192.0.2.1' },
  userAgent: 'Mail \u2028 é',
}

/** A backend that answers with one status, and says how often it was asked. */
async function openBackend(status: number) {
  let asked = 0
  const server = createServer((_request, response) => {
    asked += 1
    response.writeHead(status).end('x')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    target: { kind: 'tcp', host: '127.0.0.1', port } as const,
    asked: () => asked,
    [Symbol.dispose]: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

const signal = new AbortController().signal

describe('a hit that is owed', () => {
  it.each([
    { status: 200, said: 'taken' },
    { status: 302, said: 'taken' },
    { status: 404, said: 'taken' },
    { status: 408, said: 'not-now' },
    { status: 429, said: 'not-now' },
    { status: 500, said: 'refused' },
    { status: 503, said: 'refused' },
  ])('is $said after $status', async ({ status, said }) => {
    using backend = await openBackend(status)
    using sender = createOwedSender({ record: { owedNotTaken: () => undefined } }, [backend.target])
    expect(await sender.send(OWED, signal)).toBe(said)
  })

  it('goes to another backend while one is away, and from then on to that one first', async () => {
    using away = await openBackend(500)
    using there = await openBackend(200)
    const told: string[] = []
    using sender = createOwedSender({ record: { owedNotTaken: ({ why }) => told.push(why) } }, [
      away.target,
      there.target,
    ])
    expect(await sender.send(OWED, signal)).toBe('taken')
    expect(await sender.send(OWED, signal)).toBe('taken')
    expect([away.asked(), there.asked()]).toEqual([1, 2])
    expect(told).toEqual(['status 500'])
  })

  it('is told of once per outage', async () => {
    using away = await openBackend(503)
    const told: string[] = []
    using sender = createOwedSender({ record: { owedNotTaken: ({ why }) => told.push(why) } }, [
      away.target,
    ])
    for (let attempt = 0; attempt < 3; attempt += 1) await sender.send(OWED, signal)
    expect(told).toEqual(['status 503'])
  })
})
