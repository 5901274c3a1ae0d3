import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AcmeOptions,
  createIssuer,
  type IssueNeed,
  type IssueOutcome,
  type Issuer,
} from '../../src/acme/index.ts'
import { acmeOptions } from '../../src/acme/options.ts'
import { type CertificateStore, createCertificateStore } from '../../src/certs/index.ts'
import { type ChallengeBook, createChallengeBook } from '../../src/challenges/index.ts'
import { startDns, type TestDns } from '../../src/cli/demo/dns.ts'
import { type Pebble, type PebbleOptions, startPebble } from '../../src/cli/demo/pebble.ts'
import {
  type Clock,
  type Hostname,
  parseHostname,
  systemClock,
  systemRandom,
} from '../../src/kernel/index.ts'
import type { Store } from '../../src/store/index.ts'
import {
  type AcmeRecord,
  createAcmeRecord,
  createMetrics,
  openLog,
} from '../../src/telemetry/index.ts'
import type { Vault } from '../../src/vault/index.ts'
import { type FaultFront, startFaultFront } from './fault-front.ts'
import { pebbleBinaries } from './pebble.ts'
import { aVault } from './vaults.ts'

/** A CA, its DNS, and the port where it looks for HTTP-01 answers. */
export interface AcmeWorld extends AsyncDisposable {
  readonly pebble: Pebble
  readonly dns: TestDns
  /** In front of Pebble: counts and injects faults. */
  readonly front: FaultFront
  /** A file with the root of the CA's own API. */
  readonly rootsFile: string
  /** What `http://any.host/.well-known/acme-challenge/…` is answered from. */
  answerFrom(book: Pick<ChallengeBook, 'answer'>): void
  /** How often the CA came to look. */
  readonly validations: number
}

export async function startAcmeWorld(options: Partial<PebbleOptions> = {}): Promise<AcmeWorld> {
  await using building = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'postern-acme-'))
  building.defer(() => rm(folder, { recursive: true, force: true }))
  const responder = building.use(await startResponder())
  const binaries = pebbleBinaries()
  const dns = building.use(await startDns({ binaries }))
  const pebble = building.use(
    await startPebble({
      ...{ binaries, dnsServer: dns.address, httpPort: responder.port },
      ...{ nonceRejectPercent: 0, authzReusePercent: 0, ...options },
    }),
  )
  const front = building.use(await startFaultFront(pebble))
  const rootsFile = join(folder, 'roots.pem')
  await writeFile(rootsFile, pebble.httpsRootPem + front.rootPem)
  const running = building.move()
  return {
    ...{ pebble, dns, front, rootsFile, answerFrom: responder.answerFrom },
    get validations() {
      return responder.validations
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

interface Responder extends AsyncDisposable {
  readonly port: number
  readonly validations: number
  answerFrom(book: Pick<ChallengeBook, 'answer'>): void
}

async function startResponder(): Promise<Responder> {
  let current: Pick<ChallengeBook, 'answer'> | undefined
  let validations = 0
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const host = parseHostname((request.headers.host ?? '').replace(/:\d+$/, ''))
    const token = /^\/\.well-known\/acme-challenge\/([\w-]+)$/.exec(request.url ?? '')?.[1]
    validations += 1
    const answer = host && token && (await current?.answer(host, token))
    response.statusCode = answer ? 200 : 404
    response.end(answer || 'no such token')
  }
  const server = createServer((request, response) => void respond(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get validations() {
      return validations
    },
    answerFrom: (book) => {
      current = book
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export type TestIssuer = Omit<ReturnType<typeof createIssuer>, 'issue' | 'admit'> & {
  issue(need: TestNeed, signal: AbortSignal): Promise<IssueOutcome>
  admit(need: TestNeed): ReturnType<Issuer['admit']>
  readonly certs: CertificateStore
  readonly book: ChallengeBook
}

/** What is not said is a first certificate, needed from now on. */
export type TestNeed = Pick<IssueNeed, 'hostname'> & Partial<IssueNeed>

/** An issuer with everything it needs, on a store, with the front as its CA. */
export function anIssuer(
  world: AcmeWorld,
  store: Store,
  {
    options = {},
    vault = aVault(),
    clock = systemClock,
    record = silentAcmeRecord(),
  }: {
    readonly options?: Partial<Record<keyof AcmeOptions, unknown>>
    readonly vault?: Vault
    readonly clock?: Clock
    readonly record?: AcmeRecord
  } = {},
): TestIssuer {
  const random = systemRandom
  const certs = createCertificateStore({ store, vault, clock, random })
  const book = createChallengeBook({ store, clock })
  world.answerFrom(book)
  const parsed = acmeOptions.parse({
    ...{ ca: world.front.directoryUrl, roots: world.rootsFile, agreeTerms: true },
    ...options,
  })
  const issuer = createIssuer(
    { store, vault, certs, challenges: book, clock, random, record },
    parsed,
  )
  const whole = (need: TestNeed): IssueNeed => ({
    ...{ urgency: 'first', waitingSince: clock.now() },
    ...need,
  })
  return {
    ...issuer,
    issue: (need, signal) => issuer.issue(whole(need), signal),
    admit: (need) => issuer.admit(whole(need)),
    ...{ certs, book },
  }
}

function silentAcmeRecord(): AcmeRecord {
  const log = openLog({ level: 'silent', pretty: false })
  return createAcmeRecord({ log, metrics: createMetrics() })
}

let named = 0

/** A host name that no other test has used. */
export function aHostname(): Hostname {
  named += 1
  const hostname = parseHostname(`email.h${process.pid}-${named}.test`)
  if (!hostname) throw new Error('not a host name')
  return hostname
}
