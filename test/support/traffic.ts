import { Agent, type RequestOptions, request } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { createSeededRandom } from './seeded-random.ts'

/** A link that a visitor follows, and where it must lead. */
export interface Click {
  readonly host: string
  readonly path: string
  readonly target: string
}

export interface TrafficFigures {
  readonly answered: number
  /** Tries on a new connection, as browsers do when one dies under a request (RFC 9110 §9.2.2). */
  readonly retried: number
  readonly failed: readonly string[]
  readonly resumed: number
  readonly handshakes: number
}

export interface Traffic {
  readonly httpsPort: number
  readonly rootsPem: string
  readonly clicks: readonly Click[]
  readonly perSecond: number
  readonly seed: string
}

/** Of requests that wait for their answers; beyond it the server is not keeping up. */
const UNDER_WAY_MAX = 400
const ANSWER_MS_MAX = 10_000
/** As browsers and curl's --retry do; the first time at once. */
const TRIES_MAX = 3
const AGAIN_AFTER_MS = 100

/**
 * Visitors who follow the links one after the other, so many in a second: half of them over
 * connections that are kept, the others over new ones, most of which resume a session.
 */
export async function followAll(traffic: Traffic): Promise<TrafficFigures> {
  const { clicks, perSecond, seed } = traffic
  const random = createSeededRandom(seed)
  const visitors = openVisitors(traffic)
  const seen = { answered: 0, retried: 0, failed: [] as string[] }
  const underWay = new Set<Promise<void>>()

  const follow = async (click: Click): Promise<void> => {
    const kept = random.fraction() < 0.5
    let end = await visitors.visit(click, kept ? 'kept' : 'new')
    for (let tries = 1; end.kind === 'lost' && tries < TRIES_MAX; tries += 1) {
      seen.retried += 1
      // A process that is killed goes on taking connections until the kernel has closed its port.
      if (tries > 1) await pause(AGAIN_AFTER_MS)
      end = await visitors.visit(click, 'new')
    }
    if (end.kind === 'answered' && end.status === 302 && end.location === click.target) {
      seen.answered += 1
    } else {
      seen.failed.push(`${click.host}: ${JSON.stringify(end)}`)
    }
  }

  const startedMs = performance.now()
  for (const [index, click] of clicks.entries()) {
    const dueMs = startedMs + (index * 1000) / perSecond
    const aheadMs = dueMs - performance.now()
    if (aheadMs > 1) await pause(aheadMs)
    while (underWay.size >= UNDER_WAY_MAX) await Promise.race(underWay)
    const following: Promise<void> = follow(click).finally(() => underWay.delete(following))
    underWay.add(following)
  }
  await Promise.all(underWay)
  visitors.close()
  return { ...seen, ...visitors.handshakes() }
}

type VisitEnd =
  | { readonly kind: 'answered'; readonly status: number; readonly location: string | undefined }
  /** The connection died before an answer came: nobody can say more. */
  | { readonly kind: 'lost'; readonly code: string }
  | { readonly kind: 'wrong'; readonly code: string }

/** What a dead connection looks like; anything else, a wrong certificate say, is a failure. */
const LOST = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE'])

function openVisitors({ httpsPort, rootsPem }: Traffic) {
  const kept = new Agent({ keepAlive: true, maxSockets: 20, maxFreeSockets: 20 })
  // Sessions are kept by the agent, connections are not.
  const fresh = new Agent({ keepAlive: false })
  const counts = { resumed: 0, handshakes: 0 }

  const visit = ({ host, path }: Click, how: 'kept' | 'new'): Promise<VisitEnd> => {
    const options: RequestOptions = {
      ...{ host: '127.0.0.1', port: httpsPort, servername: host, path, ca: rootsPem },
      ...{ headers: { host }, agent: how === 'kept' ? kept : fresh, timeout: ANSWER_MS_MAX },
    }
    return new Promise((resolve) => {
      const asking = request(options, (answer) => {
        answer.resume()
        const { statusCode: status = 0, headers } = answer
        answer.once('end', () => resolve({ kind: 'answered', status, location: headers.location }))
        answer.once('error', (error) => resolve(endOf(error)))
      })
      asking.once('socket', (socket) => {
        if (asking.reusedSocket || !('isSessionReused' in socket)) return
        socket.once('secureConnect', () => {
          counts.handshakes += 1
          if (isResumed(socket)) counts.resumed += 1
        })
      })
      asking.once('timeout', () => {
        resolve({ kind: 'wrong', code: 'no answer' })
        asking.destroy()
      })
      asking.once('error', (error) => resolve(endOf(error)))
      asking.end()
    })
  }
  return {
    visit,
    handshakes: () => counts,
    close: () => {
      kept.destroy()
      fresh.destroy()
    },
  }
}

function isResumed(socket: object): boolean {
  return (
    'isSessionReused' in socket &&
    typeof socket.isSessionReused === 'function' &&
    socket.isSessionReused() === true
  )
}

function endOf({ code, message }: NodeJS.ErrnoException): VisitEnd {
  if (code !== undefined && LOST.has(code)) return { kind: 'lost', code }
  return { kind: 'wrong', code: code ?? message }
}
