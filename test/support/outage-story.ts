import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import {
  Agent,
  createServer,
  get,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
} from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { eventually, makeDirectory, type RunningPostern, startPostern } from './postern.ts'

export interface OutageStory {
  readonly perSecond: number
  /** The backend is there for so many requests, away for so many, and there again for so many. */
  readonly before: number
  readonly during: number
  readonly after: number
}

export interface OutageFigures {
  readonly asked: number
  /** No pixel, no redirect, or none within a second. */
  readonly broken: readonly string[]
  readonly slowestMs: number
  /** Answered requests of which the backend never heard. */
  readonly lost: number
  readonly replayed: number
  /** Sent to the backend after one that happened more than 100 ms later. */
  readonly outOfOrder: number
  readonly replayMs: number
}

const HOST = 'email.customer.test'

/**
 * The operator's backend goes and comes back while visitors follow links. When it is back, the
 * server is killed amid what it has to tell it, and started again.
 */
export async function tellOutageStory(story: OutageStory): Promise<OutageFigures> {
  await using telling = new AsyncDisposableStack()
  const backend = telling.use(await openCountingBackend())
  const directory = await makeDirectory()
  telling.defer(() => rm(directory, { recursive: true, force: true }))
  const start = (): Promise<RunningPostern> =>
    startPostern({
      directory,
      settings: {
        ...{ 'edge.name': 'edge.postern.test', 'edge.workers': 2 },
        'edge.backend': `http://127.0.0.1:${backend.port}`,
      },
    })
  const first = await start()
  telling.defer(() => first.kill().catch(() => undefined))
  await first.api('/hosts', { method: 'POST', body: { host: HOST } })
  const paths = await Promise.all([sign(first, 'open'), sign(first, 'click')])

  const visitors = createVisitors(first.httpPort, paths, story.perSecond)
  await visitors.ask(story.before)
  await backend.goAway()
  await visitors.ask(story.during)
  await backend.comeBack()
  const backAtMs = performance.now()
  await visitors.ask(story.after)
  await eventually(
    async () => backend.replayed(),
    (count) => count > 0,
  )
  const outOfOrder = backend.outOfOrder()
  await first.kill()
  const second = telling.use(await start())
  await eventually(
    () => backlogOf(second),
    (count) => count === 0,
    // One at a time: on a busy machine a few milliseconds each.
    60_000 + visitors.asked() * 5,
  )
  const replayMs = performance.now() - backAtMs
  return {
    ...{ asked: visitors.asked(), broken: visitors.broken, slowestMs: visitors.slowestMs() },
    ...{ lost: visitors.asked() - backend.heardOf(), replayed: backend.replayed() },
    ...{ outOfOrder, replayMs },
  }
}

async function sign(postern: RunningPostern, kind: 'open' | 'click'): Promise<string> {
  const target = kind === 'click' ? { target: TARGET } : {}
  const body = { host: HOST, kind, reference: 'mail', ...target }
  const signed = await postern.api('/links', { method: 'POST', body })
  return new URL(signed.body.url).pathname
}

const TARGET = 'https://shop.test/'

async function backlogOf(postern: RunningPostern): Promise<number> {
  const text = await (await fetch(`${postern.apiUrl}/metrics`)).text()
  return Number(/^postern_hits_backlog\{to="backend"\} (\d+)/m.exec(text)?.[1] ?? Number.NaN)
}

/** Opens and clicks in turn, at an even pace, whatever becomes of the ones before. */
function createVisitors(port: number, paths: readonly string[], perSecond: number) {
  const agent = new Agent({ keepAlive: true })
  const broken: string[] = []
  let count = 0
  let slowestMs = 0

  /** RFC 9112 §9.3.1: a kept connection may end just when it is used again; then one asks again. */
  const ask = async (path: string): Promise<IncomingMessage> => {
    const asked = get({ port, path, agent, headers: { host: HOST, 'user-agent': 'Mail' } })
    try {
      const [answer] = await once(asked, 'response')
      return answer
    } catch (error) {
      if (!asked.reusedSocket) throw error
      return await ask(path)
    }
  }
  const visit = async (path: string): Promise<void> => {
    const startMs = performance.now()
    try {
      const answer = await ask(path)
      let body = ''
      for await (const piece of answer.setEncoding('latin1')) body += piece
      const ms = performance.now() - startMs
      slowestMs = Math.max(slowestMs, ms)
      const isRight = path.startsWith('/o/')
        ? answer.statusCode === 200 && body.length === 43
        : answer.statusCode === 302 && answer.headers.location === TARGET
      if (!isRight) broken.push(`${path.slice(0, 3)} ${answer.statusCode} ${body.slice(0, 60)}`)
      if (ms > 1000) broken.push(`${path.slice(0, 3)} after ${Math.round(ms)} ms`)
    } catch (error) {
      broken.push(String(error))
    }
  }
  return {
    broken,
    asked: () => count,
    slowestMs: () => Math.round(slowestMs),
    ask: async (requests: number): Promise<void> => {
      const under: Promise<void>[] = []
      const startMs = performance.now()
      for (let index = 0; index < requests; index += 1) {
        const aheadMs = startMs + (index * 1000) / perSecond - performance.now()
        if (aheadMs > 0) await pause(aheadMs)
        under.push(visit(paths[index % paths.length] ?? ''))
        count += 1
      }
      await Promise.all(under)
    },
  }
}

/** Answers links as Postern would, and knows each hit by its id. */
async function openCountingBackend() {
  const ids = new Set<string>()
  const replayedIds = new Set<string>()
  let newestAtMs = 0
  let outOfOrder = 0
  const note = (headers: IncomingHttpHeaders): void => {
    const id = String(headers['postern-hit-id'] ?? headers['x-request-id'])
    ids.add(id)
    if (headers['postern-replay'] !== '1') return
    replayedIds.add(id)
    const atMs = Date.parse(String(headers['postern-hit-at']))
    if (atMs < newestAtMs - 100) outOfOrder += 1
    newestAtMs = Math.max(newestAtMs, atMs)
  }
  let server: Server | undefined
  const listen = async (port: number): Promise<number> => {
    server = createServer((request, response) => {
      note(request.headers)
      if (request.url?.startsWith('/o/')) response.end(Buffer.alloc(43))
      else response.writeHead(302, { location: TARGET }).end()
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  }
  const goAway = async (): Promise<void> => {
    if (!server) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
    server = undefined
  }
  const port = await listen(0)
  return {
    port,
    goAway,
    comeBack: async () => void (await listen(port)),
    heardOf: () => ids.size,
    replayed: () => replayedIds.size,
    outOfOrder: () => outOfOrder,
    [Symbol.asyncDispose]: goAway,
  }
}
