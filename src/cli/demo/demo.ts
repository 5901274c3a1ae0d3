import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EnvironmentVariables } from '../../config/index.ts'
import type { Clock } from '../../kernel/index.ts'
import type { DemoServer } from './demo-api.ts'
import { DemoError } from './demo-error.ts'
import { startDns, type TestDns } from './dns.ts'
import { findPebble, type Pebble, type PebbleBinaries, startPebble } from './pebble.ts'
import { tellRenewalStory } from './renewal-story.ts'
import { followLinks, tellHostStory } from './story.ts'

export interface DemoDeps {
  /** Starts Postern as `postern serve` would, with these settings and no others. */
  readonly startServer: (how: {
    readonly settings: ReadonlyMap<string, string>
    readonly cwd: string
  }) => Promise<DemoServer>
  readonly environment: Pick<EnvironmentVariables, 'names' | 'read'>
  readonly clock: Clock
  readonly print: (line: string) => void
}

export interface DemoOptions {
  /** Leave everything running until the signal. */
  readonly keep: boolean
  /** Show a renewal under traffic, too. */
  readonly renew: boolean
}

const HOST = 'email.customer.test'
const EDGE_NAME = 'edge.platform.test'

/**
 * The main job on one machine: a CA, a DNS server and Postern, a host from CNAME to padlock, a click
 * and an open over HTTPS. Everything it starts ends with it, and its folder is removed.
 */
export async function runDemo(
  deps: DemoDeps,
  { keep, renew }: DemoOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock, environment, print } = deps
  const startedMs = clock.monotonicMs()
  const say = (sentence: string): void => {
    const seconds = ((clock.monotonicMs() - startedMs) / 1000).toFixed(2)
    print(`${seconds.padStart(7)} s  ${sentence}`)
  }

  const variables = environment.names().map((name) => [name, environment.read(name)])
  const binaries = await findPebble({
    environment: Object.fromEntries(variables),
    onProgress: say,
  })
  if ('missing' in binaries) throw new DemoError('demo/pebble-missing', binaries.missing)
  await using running = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'postern-demo-'))
  running.defer(() => rm(folder, { recursive: true, force: true }))

  const { dns, pebble, httpPort } = await startOutsideWorld(running, binaries)
  say(`Pebble ${binaries.version ?? ''} (a CA) and a DNS server are running on this machine.`)
  const server = running.use(
    await deps.startServer({
      settings: await demoSettings({ folder, dns, pebble, httpPort }),
      cwd: folder,
    }),
  )
  say(`Postern serves http on port ${httpPort}, https on port ${server.httpsPort}.`)

  await tellHostStory({ server, dns, say, clock, host: HOST, edgeName: EDGE_NAME }, signal)
  const rootsFile = join(folder, 'issuing-root.pem')
  await writeFile(rootsFile, pebble.rootsPem)
  const { rootsPem } = pebble
  const { click } = await followLinks({ server, rootsPem, say, host: HOST })
  if (renew) await tellRenewalStory({ server, rootsPem, say, clock, host: HOST, click }, signal)

  print('')
  for (const line of howToGoOn({ server, folder, keep, rootsFile, click })) print(line)
  if (keep) await untilAborted(signal)
}

interface OutsideWorld {
  readonly dns: TestDns
  readonly pebble: Pebble
  /** Where Pebble asks for challenge answers, and so where Postern has to listen. */
  readonly httpPort: number
}

async function startOutsideWorld(
  running: AsyncDisposableStack,
  binaries: PebbleBinaries,
): Promise<OutsideWorld> {
  const httpPort = await freePort()
  const dns = running.use(await startDns({ binaries }))
  const pebble = running.use(await startPebble({ binaries, dnsServer: dns.address, httpPort }))
  return { dns, pebble, httpPort }
}

async function demoSettings({
  folder,
  dns,
  pebble,
  httpPort,
}: OutsideWorld & { readonly folder: string }): Promise<ReadonlyMap<string, string>> {
  const rootsFile = join(folder, 'ca-api-root.pem')
  await writeFile(rootsFile, pebble.httpsRootPem)
  return new Map([
    ['store.url', `sqlite:${join(folder, 'postern.sqlite')}`],
    ['vault.key', `file:${join(folder, 'master.key')}`],
    ['net.dns', dns.address],
    ['edge.name', EDGE_NAME],
    ['edge.http', `127.0.0.1:${httpPort}`],
    ['edge.https', '127.0.0.1:0'],
    ['api.listen', '127.0.0.1:0'],
    ['acme.ca', pebble.directoryUrl],
    ['acme.roots', rootsFile],
    ['acme.email', 'ops@platform.test'],
    ['acme.agreeTerms', 'true'],
    ['log.level', 'error'],
  ])
}

interface Ending {
  readonly server: DemoServer
  readonly folder: string
  readonly keep: boolean
  readonly rootsFile: string
  readonly click: string
}

function howToGoOn({ server, folder, keep, rootsFile, click }: Ending): readonly string[] {
  if (!keep) {
    return [
      'Everything is stopped and removed again. To look around, leave it running:',
      '  npm run demo -- --keep',
      'To see a certificate replaced under traffic:',
      '  npm run demo -- --renew',
      'To run it for real, set edge.name, acme.email and acme.agreeTerms (README), then:',
      '  npm start',
    ]
  }
  const at = `--connect-to ::127.0.0.1:${server.httpsPort}`
  return [
    'Everything is left running; Ctrl-C stops and removes it. In another terminal:',
    `  curl -i --cacert ${rootsFile} ${at} '${click}'`,
    `  export POSTERN_API_URL=${server.apiUrl} POSTERN_API_KEY=$(cat ${join(folder, 'admin.key')})`,
    `  bin/postern host show ${HOST}`,
    `  curl ${server.apiUrl}/metrics`,
  ]
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
}

/** Pebble must know the port before Postern listens on it. */
function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
  })
  return promise
}
