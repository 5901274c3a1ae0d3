import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { IssuedCertificate } from '../../test/support/certificates.ts'
import { freePort } from '../../test/support/test-authority.ts'
import { firstHandshake } from '../support/handshake.ts'
import { hostnameOf, prepareStore } from '../support/prepared-store.ts'
import { ownMb, residentMb } from '../support/process-tree.ts'
import { type LoadReport, runLoad, writeTargets } from './load.ts'
import type { Peer, StartPeer } from './peers/peer.ts'
import { type PosternPeer, startPosternPeer } from './peers/postern.ts'
import { sum } from './statistics.ts'
import type { TrafficPlan } from './traffic.ts'
import type { World } from './world.ts'

/** What one start with many certificates showed. */
export interface Holding {
  /** From starting the process to the first verified handshake, for the last host. */
  readonly startMs: number
  /** Resident memory of its worker, how much of that is the worker's alone, and of all processes. */
  readonly workerMb: number
  readonly ownMb: number
  readonly allMb: number
  /** Visits to hosts nobody had visited before; too few hosts for that below 10,000. */
  readonly cold: LoadReport | undefined
  /** Memory of the worker after them. */
  readonly visitedMb: number
  /** From telling it about one more to the first verified handshake with that. */
  readonly addMs: number
}

/** With fewer certificates a measured span would come around to hosts it had visited. */
const COLD_FROM_HOSTS = 10_000
/** The longest anybody takes here is nginx, which reads all its files again to add one. */
const SERVED_MS_MAX = 120_000

export interface PeerStart {
  readonly name: string
  readonly start: StartPeer
  readonly count: number
}

/** Starts a peer with `count` certificates; `undefined` where it cannot be had. */
export async function holdAsPeer(
  world: World,
  plan: TrafficPlan,
  { name, start, count }: PeerStart,
): Promise<Holding | undefined> {
  const { ca, issued, backendPort } = world
  const folder = await world.makeFolder(`${name}-${count}`)
  const last = ca.issue(hostnameOf(count - 1))
  const hosts = Array.from({ length: count }, (_, index) => ({
    hostname: hostnameOf(index),
    certificate: index === count - 1 ? last : (issued[index % issued.length] ?? last),
  }))
  try {
    await using peer = await start({ folder, hosts, backendPort })
    if (!peer) return undefined
    await firstHandshake(peer.httpsPort, last.hostname, ca.rootPem, SERVED_MS_MAX)
    const startMs = performance.now() - peer.startedAtMs
    const seen = await lookAt(world, plan, peer, count)
    const addMs = await add(world, peer, hostnameOf(count), (certificate) =>
      peer.add({ hostname: certificate.hostname, certificate }),
    )
    return { startMs, ...seen, addMs }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Starts Postern several times with a store of `count` certificates. */
export async function holdAsPostern(
  world: World,
  plan: TrafficPlan & { readonly starts: number },
  count: number,
): Promise<readonly Holding[]> {
  const { ca, issued } = world
  const directory = await prepareStore({ hosts: count, ca, issued, bareHosts: plan.starts })
  try {
    const seen: Holding[] = []
    for (let round = 0; round < plan.starts; round += 1) {
      seen.push(await holdOnce(world, plan, { directory, count, bare: hostnameOf(count + round) }))
    }
    return seen
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

interface Held {
  readonly directory: string
  readonly count: number
  /** A host without a certificate. */
  readonly bare: string
}

async function holdOnce(
  world: World,
  plan: TrafficPlan,
  { directory, count, bare }: Held,
): Promise<Holding> {
  const httpsPort = await freePort()
  const starting = startPosternPeer({
    ...{ name: 'Postern', directory, httpsPort },
    backend: `http://127.0.0.1:${world.backendPort}`,
  })
  const { rootPem } = world.ca
  const shaken = firstHandshake(httpsPort, hostnameOf(count - 1), rootPem, SERVED_MS_MAX)
  shaken.catch(() => undefined)
  await using peer = await starting
  const startMs = await shaken
  const seen = await lookAt(world, plan, peer, count)
  const addMs = await add(world, peer, bare, (certificate) => bring(peer, certificate))
  return { startMs, ...seen, addMs }
}

/** As a customer brings a certificate: through the API. */
async function bring({ postern }: PosternPeer, certificate: IssuedCertificate): Promise<void> {
  const { hostname, chainPem, keyPem } = certificate
  const body = { certificate: chainPem, key: keyPem }
  const { status } = await postern.api(`/hosts/${hostname}/certificate`, { method: 'PUT', body })
  if (status !== 200) throw new Error(`The certificate was refused with ${status}`)
}

async function add(
  { ca }: Pick<World, 'ca'>,
  { httpsPort }: Peer,
  hostname: string,
  tell: (certificate: IssuedCertificate) => Promise<void>,
): Promise<number> {
  const certificate = ca.issue(hostname)
  const beganMs = performance.now()
  await tell(certificate)
  await firstHandshake(httpsPort, hostname, ca.rootPem, SERVED_MS_MAX)
  return performance.now() - beganMs
}

async function lookAt(
  world: World,
  plan: TrafficPlan,
  peer: Peer,
  count: number,
): Promise<Omit<Holding, 'startMs' | 'addMs'>> {
  const workerMb = await residentMb(peer.worker)
  const own = await ownMb(peer.worker)
  const allMb = sum(await Promise.all(peer.pids.map(residentMb)))
  const cold = count < COLD_FROM_HOSTS ? undefined : await visitCold(world, plan, peer, count)
  return { workerMb, ownMb: own, allMb, cold, visitedMb: await residentMb(peer.worker) }
}

async function visitCold(
  world: World,
  { client, seconds }: TrafficPlan,
  peer: Peer,
  count: number,
): Promise<LoadReport> {
  const folder = await world.makeFolder(`cold-${peer.httpsPort}`)
  const hosts = Array.from({ length: count - 1 }, (_, index) => ({
    hostname: hostnameOf(index),
    path: '/c/spring/offer?id=4711',
  }))
  const targetsFile = await writeTargets(join(folder, 'cold.targets'), hosts)
  const { httpsPort: port, pids } = peer
  return runLoad({
    ...{ client, mode: 'full', port, pids, targetsFile, warmupSeconds: 0.1, seconds },
    // No more than that arrive at once by themselves; a crowd would only wait for one another.
    visitors: 16,
  })
}
