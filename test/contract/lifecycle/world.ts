import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { IssueOutcome } from '../../../src/acme/index.ts'
import { createCertificateStore } from '../../../src/certs/index.ts'
import { createChallengeBook } from '../../../src/challenges/index.ts'
import type { TestDns } from '../../../src/cli/demo/dns.ts'
import { createHostTable, type Host } from '../../../src/hosts/index.ts'
import {
  type Clock,
  days,
  type Hostname,
  milliseconds,
  parseHostname,
  type Random,
  seconds,
  systemClock,
  systemRandom,
} from '../../../src/kernel/index.ts'
import {
  createLifecycle,
  type LifecycleDeps,
  type LifecycleSettings,
  type ServingCheck,
} from '../../../src/lifecycle/index.ts'
import { createResolver, fetchChallenge, probeTls } from '../../../src/net/index.ts'
import type { Notice, Store } from '../../../src/store/index.ts'
import { createLifecycleRecord, createMetrics, openLog } from '../../../src/telemetry/index.ts'
import { createTestCa } from '../../support/certificates.ts'
import { aVault } from '../../support/vaults.ts'

export const EDGE_NAME = hostnameOf('edge.ours.test')

export function hostnameOf(text: string): Hostname {
  const hostname = parseHostname(text)
  if (!hostname) throw new TypeError(`${text} is no hostname`)
  return hostname
}

export interface WorldOptions {
  readonly store: Store
  readonly dns: TestDns
  readonly clock?: Clock
  readonly random?: Random
  readonly settings?: Partial<LifecycleSettings>
  /** Replaces single parts: the CA, the edge's answer. */
  readonly deps?: Partial<LifecycleDeps>
}

export type World = Awaited<ReturnType<typeof startWorld>>

/** Everything a lifecycle needs, real but for the CA and the edge workers' answer. */
export async function startWorld({
  store,
  dns,
  clock = systemClock,
  random = systemRandom,
  settings = {},
  deps = {},
}: WorldOptions) {
  const owned = new AsyncDisposableStack()
  const hosts = createHostTable({ store, clock, random })
  const challenges = createChallengeBook({ store, clock })
  const certs = createCertificateStore({ store, vault: aVault(), clock, random })
  const front = owned.use(await startFront(challenges.answer))
  const notices: Notice[] = []
  const issuedFor: string[] = []
  const ca = createTestCa({ now: clock.now() })

  /** Issues and saves as a CA that never refuses. */
  const issue = async (hostname: Hostname): Promise<IssueOutcome> => {
    issuedFor.push(hostname)
    const nowMs = clock.now().getTime()
    const { chainPem, keyPkcs8Der, notBefore } = ca.issue(hostname, {
      notBefore: new Date(nowMs - 3_600_000),
      notAfter: new Date(nowMs + 90 * 86_400_000),
    })
    const renewAt = new Date(notBefore.getTime() + 60 * 86_400_000)
    const draft = {
      hostname,
      chainPem,
      keyPkcs8Der,
      renewAt,
      renewBecause: 'term',
      source: 'Test CA',
    }
    return { kind: 'issued', certificate: await certs.save(draft) }
  }

  const lifecycle = owned.use(
    createLifecycle(
      {
        ...{ hosts, certs, challenges, clock, random },
        resolver: createResolver({ dns: [dns.address] }),
        probe: fetchChallenge,
        issuer: issuerOf(issue),
        probeTls,
        serving: servingOf({}),
        publish: async (notice) => void notices.push(notice),
        record: createLifecycleRecord({
          log: openLog({ level: 'silent', pretty: false }),
          metrics: createMetrics(),
        }),
        ...deps,
      },
      {
        ...{ concurrency: 8, edgeName: EDGE_NAME, httpPorts: [front.port], httpsPorts: [] },
        ...{ termsAgreed: true, soak: seconds(0), lookEvery: days(1), idleAfter: days(180) },
        ...{ idlePolicy: 'last', forgetAfter: days(365) },
        ...settings,
      },
    ),
  )
  await dns.setDefaultIpv4('')
  await dns.clearA(EDGE_NAME)
  await dns.addA(EDGE_NAME, ['127.0.0.1'])

  return {
    ...{ store, dns, hosts, challenges, certs, lifecycle, notices, issuedFor, issue, ca },
    /** Points a host at the edge and adds it. */
    add: async (text: string, account?: string): Promise<Hostname> => {
      const hostname = hostnameOf(text)
      await dns.setCname(hostname, EDGE_NAME)
      await lifecycle.add(hostname, 'customer.test', account)
      return hostname
    },
    until: (hostname: Hostname, is: (host: Host) => boolean) =>
      eventually(
        async () => {
          const host = await hosts.find(hostname)
          return host && is(host) ? host : undefined
        },
        async () => ({ host: await hosts.find(hostname), history: await hosts.history(hostname) }),
      ),
    /** What accounts are to be told, by its kind. */
    told: async (): Promise<readonly string[]> => (await hosts.untold(100)).map(({ kind }) => kind),
    story: async (hostname: Hostname): Promise<readonly string[]> =>
      (await hosts.history(hostname)).map(({ step, outcome, code }) =>
        [step, outcome, ...(code === undefined ? [] : [code])].join(' '),
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** The machine's clock, which can be put forward and back, and on which a minute passes quickly. */
export interface ShiftClock extends Clock {
  shift(ms: number): void
}

export function createShiftClock(): ShiftClock {
  let shifted = 0
  return {
    shift: (ms) => {
      shifted += ms
    },
    now: () => new Date(systemClock.now().getTime() + shifted),
    monotonicMs: () => systemClock.monotonicMs() + Math.max(shifted, 0),
    sleep: (ms, signal) => systemClock.sleep(ms >= 1000 ? 50 : ms, signal),
  }
}

export const isActive = ({ state }: Host): boolean => state === 'active'

/** Asks again until there is an answer; tells the last state of things otherwise. */
export async function eventually<Value>(
  ask: () => Promise<Value | undefined>,
  describe: () => Promise<unknown>,
): Promise<Value> {
  const deadline = systemClock.monotonicMs() + 10_000
  for (;;) {
    const value = await ask()
    if (value !== undefined) return value
    if (systemClock.monotonicMs() > deadline) {
      throw new Error(`It did not happen: ${JSON.stringify(await describe(), undefined, 1)}`)
    }
    await systemClock.sleep(5)
  }
}

/** A CA of a test's own making, which never says when to renew. */
export function issuerOf(
  issue: (hostname: Hostname, signal: AbortSignal) => Promise<IssueOutcome>,
  over: Partial<LifecycleDeps['issuer']> = {},
): LifecycleDeps['issuer'] {
  return {
    issue: ({ hostname }, signal) => issue(hostname, signal),
    admit: async () => ({ kind: 'go' }),
    room: async () => 1000,
    authorities: async () => [
      { name: 'Test CA', directoryUrl: 'https://ca.test/dir', caaIdentities: ['ca.test'] },
    ],
    askWindow: async () => ({ kind: 'none', askAt: undefined }),
    plan: ({ renewAt }) => ({ renewAt, because: 'term-ends' }),
    leave: async () => undefined,
    revoke: async () => ({ kind: 'revoked' }),
    clockSkew: () => milliseconds(0),
    checkHealth: async () => [],
    ...over,
  }
}

/** Edge workers that serve whatever they are asked to, unless told otherwise. */
export function servingOf(over: Partial<ServingCheck>): ServingCheck {
  return {
    confirm: async () => ({ kind: 'served' }),
    rehearse: async () => ({ kind: 'went-well' }),
    ...over,
  }
}

/** What the edge's http port does for CAs, and nothing else. */
async function startFront(
  answer: (hostname: Hostname, token: string) => Promise<string | undefined>,
) {
  const server = createServer((request, response) => {
    const token = request.url?.split('/').at(-1) ?? ''
    const hostname = hostnameOf(request.headers.host ?? '')
    answer(hostname, token).then(
      (body) => response.writeHead(body === undefined ? 404 : 200).end(body),
      () => response.destroy(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
