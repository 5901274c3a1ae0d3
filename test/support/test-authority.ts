import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { startDns, type TestDns } from '../../src/cli/demo/dns.ts'
import { type Pebble, type PebbleOptions, startPebble } from '../../src/cli/demo/pebble.ts'
import { pebbleBinaries } from './pebble.ts'
import { makeDirectory, type Settings } from './postern.ts'

/** Pebble and a DNS server, and the settings with which Postern uses both. */
export interface TestAuthority extends AsyncDisposable {
  readonly pebble: Pebble
  readonly dns: TestDns
  /** The name that hosts point their CNAMEs at; it resolves to 127.0.0.1. */
  readonly edgeName: string
  /** Where Pebble asks for HTTP-01 answers: Postern has to listen there. */
  readonly httpPort: number
  /** The issuing root, for clients; as text and as a file. */
  readonly rootsPem: string
  readonly rootsFile: string
  readonly settings: Settings
}

/** Starts both on free ports. Throws with the reason if Pebble cannot be had on this machine. */
export async function startTestAuthority(
  options: Partial<Omit<PebbleOptions, 'binaries' | 'dnsServer' | 'httpPort'>> = {},
): Promise<TestAuthority> {
  const binaries = pebbleBinaries()
  await using starting = new AsyncDisposableStack()
  const directory = await makeDirectory()
  starting.defer(() => rm(directory, { recursive: true, force: true }))
  const httpPort = await freePort()
  const dns = starting.use(await startDns({ binaries }))
  const pebble = starting.use(
    await startPebble({ binaries, dnsServer: dns.address, httpPort, ...options }),
  )
  const acmeRoots = join(directory, 'acme-api-root.pem')
  const rootsFile = join(directory, 'issuing-root.pem')
  await writeFile(acmeRoots, pebble.httpsRootPem)
  await writeFile(rootsFile, pebble.rootsPem)
  const edgeName = 'edge.platform.test'
  const running = starting.move()
  return {
    pebble,
    dns,
    edgeName,
    httpPort,
    rootsPem: pebble.rootsPem,
    rootsFile,
    settings: {
      'net.dns': dns.address,
      'edge.name': edgeName,
      'edge.http': `127.0.0.1:${httpPort}`,
      'acme.ca': pebble.directoryUrl,
      'acme.roots': acmeRoots,
      'acme.email': 'ops@platform.test',
      'acme.agreeTerms': true,
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
