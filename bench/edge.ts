import { join } from 'node:path'
import { profileWithAutocannon } from './edge/autocannon.ts'
import { type CertificatesPlan, measureCertificates } from './edge/certificates.ts'
import { measureClicks } from './edge/clicks.ts'
import { startCaddy } from './edge/peers/caddy.ts'
import { startHaproxy } from './edge/peers/haproxy.ts'
import { startNginx } from './edge/peers/nginx.ts'
import type { StartPeer } from './edge/peers/peer.ts'
import { startPosternPeer } from './edge/peers/postern.ts'
import {
  type Contender,
  IN_PROCESS,
  measureTraffic,
  PROXIED,
  type TrafficPlan,
  trafficFigures,
  trafficTable,
} from './edge/traffic.ts'
import { createWorld, signedTargets, type World } from './edge/world.ts'
import { canPin } from './support/cores.ts'
import type { BenchOptions, BenchReport } from './support/figures.ts'

/**
 * The edge beside nginx, HAProxy and Caddy: same backend, certificates, cores and visitors, round by
 * round in turn. edge/README.md says how to read what it prints.
 */
export async function benchEdge(options: BenchOptions): Promise<BenchReport> {
  await using open = new AsyncDisposableStack()
  const world = await createWorld(open)
  const size = options.quick ? 'quick' : 'whole'
  if (!canPin)
    options.say('edge: nothing is bound to a core here (taskset, two cores): compare CPU µs')
  const plan = { client: world.client, caFile: world.caFile, say: options.say, ...SIZES[size] }
  const reports: BenchReport[] = []
  if (options.wants('traffic')) reports.push(await benchTraffic(world, plan))
  if (options.wants('clicks')) reports.push(await measureClicks(world, plan))
  if (options.wants('certificates')) reports.push(await measureCertificates(world, plan))
  return {
    tables: reports.flatMap(({ tables = [] }) => tables),
    figures: reports.flatMap(({ figures }) => figures),
    texts: reports.flatMap(({ texts = [] }) => texts),
  }
}

type Sizes = Omit<CertificatesPlan, 'client' | 'caFile' | 'say'>

const SIZES: Readonly<Record<'quick' | 'whole', Sizes>> = {
  quick: {
    ...{ rounds: 3, warmingSeconds: 3, warmupSeconds: 0.3, seconds: 1.2, starts: 1 },
    ...{ ours: [1_000, 100_000], theirs: [1_000] },
  },
  whole: {
    ...{ rounds: 5, warmingSeconds: 15, warmupSeconds: 1, seconds: 4, starts: 3 },
    ...{ ours: [1_000, 10_000, 100_000], theirs: [1_000, 10_000] },
  },
}

async function benchTraffic(world: World, plan: TrafficPlan): Promise<BenchReport> {
  await using open = new AsyncDisposableStack()
  const contenders = await startContenders(world, open)
  const seen = await measureTraffic(contenders, plan)
  const autocannon = await profileWithAutocannon(
    contenders.filter(({ peer }) => peer.name === 'nginx' || peer.name === PROXIED),
    plan.seconds,
  )
  return { tables: [trafficTable(seen)], figures: trafficFigures(seen), texts: [autocannon] }
}

async function startContenders(
  world: World,
  open: AsyncDisposableStack,
): Promise<readonly Contender[]> {
  const targetsFile = await world.plainTargets()
  const contenders: Contender[] = []
  const peers: readonly (readonly [string, StartPeer])[] = [
    ['nginx', startNginx],
    ['haproxy', startHaproxy],
    ['caddy', startCaddy],
  ]
  for (const [name, start] of peers) {
    const folder = await world.makeFolder(name)
    const { hosts, backendPort } = world
    const peer = await start({ folder, hosts, backendPort, core: 'server' })
    if (peer) contenders.push({ peer: open.use(peer), targetsFile, method: 'GET' })
  }
  const proxied = open.use(
    await startPosternPeer({
      ...{ name: PROXIED, directory: await world.makeStore(), core: 'server' },
      backend: `http://127.0.0.1:${world.backendPort}`,
    }),
  )
  contenders.push({ peer: proxied, targetsFile, method: 'GET' })
  const embedded = open.use(
    await startPosternPeer({
      ...{ name: IN_PROCESS, directory: await world.makeStore(), core: 'server' },
      backend: 'embedded',
    }),
  )
  const linksFile = join(await world.makeFolder('links'), 'postern.targets')
  const links = await signedTargets(world, embedded, linksFile)
  // HEAD counts nothing, like the backend behind the others.
  contenders.push({ peer: embedded, targetsFile: links, method: 'HEAD' })
  return contenders
}
