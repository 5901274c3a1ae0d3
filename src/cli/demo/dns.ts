import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Clock, systemClock } from '../../kernel/index.ts'
import { type ChildServer, startChildServer, startOnFreePorts } from './child-server.ts'
import { DemoError } from './demo-error.ts'
import type { PebbleBinaries } from './find-pebble.ts'

/**
 * A DNS server that answers what it is told (pebble-challtestsrv, with its other servers off).
 * Names nobody spoke of get the default address.
 */
export interface TestDns extends AsyncDisposable {
  /** `127.0.0.1:port`, UDP and TCP: for Pebble and for `net.dns`. */
  readonly address: string
  setCname(host: string, target: string): Promise<void>
  clearCname(host: string): Promise<void>
  addA(host: string, addresses: readonly string[]): Promise<void>
  clearA(host: string): Promise<void>
  addAaaa(host: string, addresses: readonly string[]): Promise<void>
  clearAaaa(host: string): Promise<void>
  addCaa(host: string, policies: readonly CaaPolicy[]): Promise<void>
  clearCaa(host: string): Promise<void>
  setTxt(host: string, value: string): Promise<void>
  clearTxt(host: string): Promise<void>
  setServfail(host: string): Promise<void>
  clearServfail(host: string): Promise<void>
  /** The address of names without one of their own; `''` for none. */
  setDefaultIpv4(address: string): Promise<void>
  setDefaultIpv6(address: string): Promise<void>
  stop(): Promise<void>
}

export interface CaaPolicy {
  readonly tag: string
  readonly value: string
}

export interface TestDnsOptions {
  readonly binaries: PebbleBinaries
  readonly defaultIpv4?: string
  readonly clock?: Clock
}

/** Starts it on free ports of 127.0.0.1. */
export async function startDns(options: TestDnsOptions): Promise<TestDns> {
  const { server, value } = await startInSomeDialect(options)
  const { address, management } = value
  const tell = (path: string, fact: object) => post(`${management}/${path}`, fact)
  const host = (name: string) => ({ host: fullyQualified(name) })
  return {
    address,
    setCname: (name, target) =>
      tell('set-cname', { ...host(name), target: fullyQualified(target) }),
    clearCname: (name) => tell('clear-cname', host(name)),
    addA: (name, addresses) => tell('add-a', { ...host(name), addresses }),
    clearA: (name) => tell('clear-a', host(name)),
    addAaaa: (name, addresses) => tell('add-aaaa', { ...host(name), addresses }),
    clearAaaa: (name) => tell('clear-aaaa', host(name)),
    addCaa: (name, policies) => tell('add-caa', { ...host(name), policies }),
    clearCaa: (name) => tell('clear-caa', host(name)),
    setTxt: (name, txt) => tell('set-txt', { ...host(name), value: txt }),
    clearTxt: (name) => tell('clear-txt', host(name)),
    setServfail: (name) => tell('set-servfail', host(name)),
    clearServfail: (name) => tell('clear-servfail', host(name)),
    setDefaultIpv4: (ip) => tell('set-default-ipv4', { ip }),
    setDefaultIpv6: (ip) => tell('set-default-ipv6', { ip }),
    stop: server.stop,
    [Symbol.asyncDispose]: server.stop,
  }
}

interface Addresses {
  readonly address: string
  readonly management: string
}

/**
 * How DNS and DNS over HTTPS are switched on and off: from 2.10.0 on, from 2.5.0 on, before. The
 * program does not tell its version, and one that does not know an option ends at once.
 */
const DIALECTS = [
  (address: string) => ['-dnsserver', address, '-doh', ''],
  (address: string) => ['-dns01', address, '-doh', ''],
  (address: string) => ['-dns01', address],
]

interface Running {
  readonly server: ChildServer
  readonly value: Addresses
}

async function startInSomeDialect(options: TestDnsOptions): Promise<Running> {
  let failure: unknown
  for (const dialect of DIALECTS) {
    try {
      return await startWith(dialect, options)
    } catch (error) {
      if (!(error instanceof DemoError)) throw error
      failure = error
    }
  }
  throw failure
}

function startWith(
  dnsOptions: (address: string) => readonly string[],
  { binaries, defaultIpv4 = '127.0.0.1', clock = systemClock }: TestDnsOptions,
): Promise<Running> {
  return startOnFreePorts({
    portCount: 2,
    clock,
    start: async ([port = 0, managementPort = 0]) => {
      const address = `127.0.0.1:${port}`
      const off = ['-http01', '', '-https01', '', '-tlsalpn01', '']
      const server = startChildServer({
        program: binaries.challtestsrv,
        args: [
          ...[...dnsOptions(address), '-management', `127.0.0.1:${managementPort}`, ...off],
          ...['-defaultIPv4', defaultIpv4, '-defaultIPv6', ''],
        ],
        environment: {},
      })
      return { server, value: { address, management: `http://127.0.0.1:${managementPort}` } }
    },
    isReady: async ({ management }) =>
      post(`${management}/clear-a`, { host: 'ready.test.' }).then(
        () => true,
        () => false,
      ),
  })
}

function fullyQualified(name: string): string {
  return name.endsWith('.') ? name : `${name}.`
}

const MANAGEMENT_MS_MAX = 5_000

async function post(url: string, fact: object): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const signal = AbortSignal.timeout(MANAGEMENT_MS_MAX)
  const asking = request(url, { method: 'POST', signal })
  asking.once('error', reject)
  asking.once('response', (response) => {
    if (response.statusCode === 200) {
      resolve(text(response).then(() => undefined))
      return
    }
    response.resume()
    const sentence = `The test DNS answered ${response.statusCode} to ${url}`
    reject(new DemoError('demo/server-refused', sentence))
  })
  asking.end(JSON.stringify(fact))
  return promise
}
