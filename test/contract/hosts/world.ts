import {
  type ClaimedHost,
  createHostTable,
  type Host,
  type HostEvent,
  moveHost,
} from '../../../src/hosts/index.ts'
import {
  days,
  type Hostname,
  parseHostname,
  type Reason,
  seconds,
} from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { aCertificateRow } from '../../support/store-rows.ts'

export const name = (text: string) => parseHostname(text) as Hostname
export const HOST = name('email.customer.test')
export const LIMITED: Reason = { code: 'ca/rate-limited', sentence: 'Limited.', fix: 'Wait.' }
export const GONE: Reason = { code: 'dns/nxdomain', sentence: 'Gone.', fix: 'Come back.' }
export const DAY = 86_400_000
export const onUnreadable = ({ error }: { readonly error: unknown }) => {
  throw error
}
export const CLAIM = { holder: 'a', leaseFor: seconds(30), limit: 100, onUnreadable }

export const mayGoOn = async (): Promise<boolean> => true

export type HostsWorld = Awaited<ReturnType<typeof openHosts>>

/** The table of hosts on a store of its own, and a clock that is moved by hand. */
export async function openHosts(openTestStore: () => Promise<Store>) {
  const store = await openTestStore()
  const clock = createFakeClock()
  const hosts = createHostTable({ store, clock, random: createSeededRandom() })
  return { store, clock, hosts }
}

export const until = (clock: FakeClock, ms: number) => new Date(clock.now().getTime() + ms)
export const namesOf = (claimed: readonly ClaimedHost[]) => claimed.map(({ host }) => host.hostname)

export function lifeOf(clock: FakeClock) {
  return {
    ...{ notBefore: until(clock, 0), notAfter: until(clock, 90 * DAY) },
    renewAt: until(clock, 60 * DAY),
  }
}

export function move({ clock }: HostsWorld, host: Host, event: HostEvent): Host {
  return moveHost(host, event, {
    ...{ now: clock.now(), random: createSeededRandom() },
    ...{ lookEvery: days(1), idleAfter: days(180) },
  })
}

/** As after a handshake with every edge worker. */
export function serve(world: HostsWorld, claimed: ClaimedHost): Promise<boolean> {
  const host = move(world, claimed.host, { kind: 'served', life: lifeOf(world.clock) })
  const saving = { history: [], lease: 'release', https: 'promised' } as const
  return world.hosts.save(claimed, host, saving)
}

/** Gives a host a current certificate. */
export async function hold(
  { store }: HostsWorld,
  hostname: Hostname,
  over: Parameters<typeof aCertificateRow>[0],
): Promise<void> {
  const row = aCertificateRow({ id: `certificate of ${hostname}`, hostname, ...over })
  await store.db.insertInto('certificates').values(row).execute()
}

/** Adds hosts, and puts all that are due into the queue. */
export async function queueUp(
  world: HostsWorld,
  account: string,
  names: readonly string[],
): Promise<void> {
  for (const one of names) await world.hosts.add(name(one), 'x.test', account)
  for (const claimed of await world.hosts.claimDue(CLAIM)) {
    const event = { kind: 'queued', reason: LIMITED, life: undefined } as const
    const host = move(world, claimed.host, { ...event, until: until(world.clock, DAY) })
    await world.hosts.enqueue(claimed, host, { history: [], lease: 'release' })
  }
}
