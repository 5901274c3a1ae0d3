import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Clock, type Duration, days, formatDuration, systemClock } from '../../kernel/index.ts'
import { startChildServer, startOnFreePorts } from './child-server.ts'
import { DemoError } from './demo-error.ts'
import type { PebbleBinaries } from './find-pebble.ts'
import { createSelfSigned } from './self-signed.ts'

export { type FindPebbleOptions, findPebble, type PebbleBinaries } from './find-pebble.ts'

/** A certificate authority of our own, on this machine, for as long as it is not stopped. */
export interface Pebble extends AsyncDisposable {
  readonly directoryUrl: string
  /** What issued certificates chain to. New at each start. */
  readonly rootsPem: string
  /** What the CA's own API is to be trusted by (`acme.roots`). */
  readonly httpsRootPem: string
  readonly managementUrl: string
  /** Asks Pebble's management interface, such as `/root-keys/0`; throws unless it answers 200. */
  manage(path: string): Promise<string>
  stop(): Promise<void>
  /** What it wrote last. */
  output(): string
}

export interface PebbleOptions {
  readonly binaries: PebbleBinaries
  /** `127.0.0.1:port` of the DNS server it asks. */
  readonly dnsServer: string
  /** Where it looks for HTTP-01 answers, instead of port 80. */
  readonly httpPort: number
  /** Where redirects to https lead, instead of port 443. */
  readonly tlsPort?: number
  /** Of 100 nonces, how many it refuses on purpose. */
  readonly nonceRejectPercent?: number
  /** Of 100 authorizations still valid, how many it uses again. */
  readonly authzReusePercent?: number
  /** Seconds it tells clients to wait before they ask again (2.5.0 and later). */
  readonly retryAfterSeconds?: number
  readonly validity?: Duration
  /** Further profiles, and how long their certificates live (2.7.0 and later). */
  readonly profiles?: Readonly<Record<string, Duration>>
  readonly ordersPerPage?: number
  /** Key id and base64url key: when given, accounts must be bound to one. */
  readonly externalAccountKeys?: Readonly<Record<string, string>>
  readonly clock?: Clock
}

/** Starts Pebble on free ports of 127.0.0.1, validating at once instead of after random pauses. */
export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const { binaries, dnsServer, clock = systemClock } = options
  const { certificatePem, privateKeyPem } = createSelfSigned(clock)
  const folder = await mkdtemp(join(tmpdir(), 'postern-pebble-'))
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'certificate.pem'), certificatePem)
  await writeFile(join(folder, 'key.pem'), privateKeyPem, { mode: 0o600 })

  const trust = new Agent({ ca: certificatePem })
  const { server, value: urls } = await startOnFreePorts({
    portCount: 2,
    clock,
    start: async ([port = 0, managementPort = 0]) => {
      const config = join(folder, `config-${port}.json`)
      await writeFile(config, toConfiguration(options, { folder, port, managementPort }))
      const server = startChildServer({
        program: binaries.pebble,
        args: ['-config', config, '-dnsserver', dnsServer],
        environment: toEnvironment(options),
      })
      const directory = `https://127.0.0.1:${port}/dir`
      return { server, value: { directory, management: `https://127.0.0.1:${managementPort}` } }
    },
    isReady: async ({ directory, management }) =>
      (await isOk(directory, trust)) && isOk(`${management}/roots/0`, trust),
  })
  cleanup.use(server)
  const manage = (path: string) => fetchText(`${urls.management}${path}`, trust)
  const rootsPem = await manage('/roots/0')
  const running = cleanup.move()
  return {
    directoryUrl: urls.directory,
    rootsPem,
    httpsRootPem: certificatePem,
    managementUrl: urls.management,
    manage,
    stop: () => running.disposeAsync(),
    output: server.output,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

interface Place {
  readonly folder: string
  readonly port: number
  readonly managementPort: number
}

/** Pebble's configuration file; what an older version does not know, it ignores. */
function toConfiguration(options: PebbleOptions, { folder, port, managementPort }: Place): string {
  const { httpPort, tlsPort = 5001, validity = days(90), retryAfterSeconds = 0 } = options
  const further = Object.entries(options.profiles ?? {}).map(([name, life]) => [
    name,
    { description: `For ${formatDuration(life)}`, validityPeriod: Math.round(life / 1000) },
  ])
  const validitySeconds = Math.round(validity / 1000)
  return JSON.stringify({
    pebble: {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${managementPort}`,
      certificate: join(folder, 'certificate.pem'),
      privateKey: join(folder, 'key.pem'),
      httpPort,
      tlsPort,
      externalAccountBindingRequired: options.externalAccountKeys !== undefined,
      externalAccountMACKeys: options.externalAccountKeys ?? {},
      retryAfter: { authz: retryAfterSeconds, order: retryAfterSeconds },
      keyAlgorithm: 'ecdsa',
      // Before 2.7.0, and with 2.4.0 the default is five years.
      certificateValidityPeriod: validitySeconds,
      // From 2.7.0 on: an order that names no profile gets one at random, so there is only one.
      profiles: {
        default: { description: 'As the public CAs do', validityPeriod: validitySeconds },
        ...Object.fromEntries(further),
      },
    },
  })
}

function toEnvironment(options: PebbleOptions): Readonly<Record<string, string>> {
  const { nonceRejectPercent = 5, authzReusePercent = 50, ordersPerPage = 100 } = options
  return {
    PEBBLE_VA_NOSLEEP: '1',
    PEBBLE_WFE_NONCEREJECT: String(nonceRejectPercent),
    PEBBLE_AUTHZREUSE: String(authzReusePercent),
    PEBBLE_WFE_ORDERS_PER_PAGE: String(ordersPerPage),
  }
}

async function isOk(url: string, agent: Agent): Promise<boolean> {
  return fetchText(url, agent).then(
    () => true,
    () => false,
  )
}

const MANAGEMENT_MS_MAX = 5_000

async function fetchText(url: string, agent: Agent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  // From 2.10.0 on Pebble refuses a request without a User-Agent (RFC 8555 §6.1).
  const headers = { 'User-Agent': 'Postern' }
  const asking = request(url, { agent, headers, signal: AbortSignal.timeout(MANAGEMENT_MS_MAX) })
  asking.once('error', reject)
  asking.once('response', (response) => {
    if (response.statusCode === 200) {
      resolve(text(response))
      return
    }
    response.resume()
    const sentence = `Pebble answered ${response.statusCode} to ${url}`
    reject(new DemoError('demo/server-refused', sentence))
  })
  asking.end()
  return promise
}
