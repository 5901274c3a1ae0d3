import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { childrenOf } from './clients.ts'
import { openFakeTime } from './fake-time.ts'
import { eventually, type RunningPostern, startPostern } from './postern.ts'
import { createSeededRandom } from './seeded-random.ts'
import { startTestAuthority } from './test-authority.ts'
import { type Click, followAll, type TrafficFigures } from './traffic.ts'

export interface TrafficStory {
  readonly hosts: number
  readonly requests: number
  readonly perSecond: number
  /** Between two disturbances: a renewal, a killed worker, a reload, in turn. */
  readonly disturbEveryMs: number
  readonly seed: string
  /** libfaketime, if there is one: then the clock passes from one epoch of ticket keys to the next. */
  readonly timeLibrary?: string | undefined
}

export interface TrafficStoryFigures extends TrafficFigures {
  readonly renewals: number
  readonly workersKilled: number
  readonly reloads: number
  readonly ticketRotations: number
  /** Clicks that were answered and are not among the hits. */
  readonly lost: number
}

/**
 * Visitors follow links all the time while certificates are renewed, workers killed (kill -9),
 * configuration reloaded and ticket keys rotated. Whoever gets an answer must be counted.
 */
export async function tellTrafficStory(story: TrafficStory): Promise<TrafficStoryFigures> {
  const { hosts, requests, perSecond, seed, timeLibrary } = story
  await using running = new AsyncDisposableStack()
  const authority = running.use(await startTestAuthority())
  const time = timeLibrary === undefined ? undefined : running.use(await openFakeTime(timeLibrary))
  const postern = running.use(
    await startPostern({
      settings: { ...authority.settings, 'edge.workers': 2 },
      // Read once in a while, not with every look at the clock: that would be all it does.
      ...(time
        ? { env: { ...time.env, FAKETIME_NO_CACHE: '0', FAKETIME_CACHE_DURATION: '1' } }
        : {}),
    }),
  )
  const names = Array.from({ length: hosts }, (_, index) => `traffic-${index}.customer.test`)
  for (const host of names) {
    await authority.dns.setCname(host, authority.edgeName)
    await postern.api('/hosts', { method: 'POST', body: { host } })
  }
  for (const host of names) {
    await eventually(
      async () => (await postern.api(`/hosts/${host}`)).body,
      ({ httpsSafe }) => httpsSafe,
      60_000,
    )
  }
  const clicks = await makeClicks(postern, names, requests)
  const isOver = new AbortController()
  const disturbing = disturb(postern, { ...story, names, time }, isOver.signal)
  const traffic = await followAll({
    ...{ httpsPort: postern.httpsPort, rootsPem: authority.rootsPem },
    ...{ clicks, perSecond, seed },
  })
  isOver.abort()
  const disturbances = await disturbing
  return { ...traffic, ...disturbances, lost: await countLost(postern, traffic.answered) }
}

/** Links are good for many clicks; what tells clicks apart is counted, not named. */
async function makeClicks(
  postern: RunningPostern,
  names: readonly string[],
  requests: number,
): Promise<readonly Click[]> {
  const links = await Promise.all(
    names.map(async (host, index): Promise<Click> => {
      const target = `https://shop.example/${index}`
      const body = { host, kind: 'click', target, reference: `mail-${index}` }
      const answer = await postern.api('/links', { method: 'POST', body })
      expect(answer.status).toBe(200)
      return { host, path: new URL(answer.body.url).pathname, target }
    }),
  )
  return Array.from({ length: requests }, (_, index) => links[index % links.length]).filter(
    (click) => click !== undefined,
  )
}

interface Disturbed extends TrafficStory {
  readonly names: readonly string[]
  readonly time: Awaited<ReturnType<typeof openFakeTime>> | undefined
}

/** One thing after the other, until it is over. */
async function disturb(
  postern: RunningPostern,
  { names, time, disturbEveryMs, seed, requests, perSecond }: Disturbed,
  signal: AbortSignal,
) {
  const random = createSeededRandom(`${seed}/disturb`)
  const done = { renewals: 0, workersKilled: 0, reloads: 0, ticketRotations: 0 }
  const acts = [
    async () => {
      const host = names[Math.floor(random.fraction() * names.length)] ?? ''
      const { status } = await postern.api(`/hosts/${host}/renew`, { method: 'POST', body: {} })
      expect(status).toBe(200)
      done.renewals += 1
    },
    async () => {
      const replaced = postern.output().split('"event":"edge-worker-replaced"').length - 1
      const workers = await childrenOf(postern.child.pid ?? 0)
      const victim = workers[Math.floor(random.fraction() * workers.length)]
      // While one of two is being replaced, nobody else would be left to answer.
      if (victim === undefined || replaced < done.workersKilled) return
      process.kill(victim, 'SIGKILL')
      done.workersKilled += 1
    },
    async () => {
      await writeFile(join(postern.directory, 'postern.yaml'), 'log: { level: info }\n')
      postern.child.kill('SIGHUP')
      done.reloads += 1
    },
  ]
  // A wrong clock keeps CAs from being asked: the hours pass at the end, in jumps.
  const untilRotations = Math.ceil((0.8 * 1000 * requests) / perSecond / disturbEveryMs)
  const isOver = (): boolean => signal.aborted
  for (let turn = 0; !isOver(); turn += 1) {
    await pause(disturbEveryMs, undefined, { signal }).catch(() => undefined)
    if (isOver()) break
    if (time && turn >= untilRotations && done.ticketRotations < TICKET_ROTATIONS_MAX) {
      done.ticketRotations += 1
      await time.stepTo(`+${done.ticketRotations * EPOCH_HOURS}h`)
    } else {
      await acts[turn % acts.length]?.()
    }
  }
  return done
}

const TICKET_ROTATIONS_MAX = 4
/** How long ticket keys encrypt. */
const EPOCH_HOURS = 12

/** Every answer was preceded by a durable hit; a click whose answer was lost may be counted twice. */
async function countLost(postern: RunningPostern, answered: number): Promise<number> {
  const counted = await eventually(
    () => countHits(postern),
    (count) => count >= answered,
    60_000,
  ).catch(() => countHits(postern))
  return Math.max(0, answered - counted)
}

async function countHits(postern: RunningPostern): Promise<number> {
  let count = 0
  let cursor: string | undefined
  do {
    const { body } = await postern.api(
      `/hits?limit=1000${cursor === undefined ? '' : `&cursor=${cursor}`}`,
    )
    count += body.items.length
    cursor = body.nextCursor ?? undefined
  } while (cursor !== undefined)
  return count
}
