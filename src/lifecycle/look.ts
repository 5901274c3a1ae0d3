import type { AddressAnswers, AddressProbe, CaaLook, PreflightFacts } from '../hosts/index.ts'
import { isExpectedAnswer } from '../hosts/index.ts'
import { type Hostname, minutes, parentsOf } from '../kernel/index.ts'
import { type DnsAnswer, isCloudflareAddress, isPrivateAddress, sameAddress } from '../net/index.ts'
import type { LifecycleDeps } from './ports.ts'
import { walkToEdge } from './walk-cnames.ts'

/** How a host is looked at from outside. */
export interface LookSettings {
  readonly edgeName: Hostname
  readonly httpPorts: readonly number[]
  readonly httpsPorts: readonly number[]
  readonly termsAgreed: boolean
}

export type LookDeps = Pick<
  LifecycleDeps,
  'resolver' | 'probe' | 'challenges' | 'issuer' | 'random' | 'record'
>

/** Gathers what `judgePreflight` judges: DNS, CAA, and whether our own token comes back. */
export async function look(
  deps: LookDeps,
  hostname: Hostname,
  { settings, signal }: { readonly settings: LookSettings; readonly signal: AbortSignal },
): Promise<PreflightFacts> {
  const { resolver } = deps
  const { edgeName } = settings
  const [chain, addresses, edgeAddresses, caaAnswers] = await Promise.all([
    walkToEdge(resolver, { hostname, edgeName }, signal),
    askAddresses(resolver, hostname, signal),
    askAddresses(resolver, edgeName, signal),
    askCaa(resolver, hostname, signal),
  ])
  const facts = { hostname, edgeName, chain, addresses, edgeAddresses }
  // A name with a CNAME has no records of its own: what was found for it is its target's.
  const [own, ...parents] = caaAnswers
  const caa = own ? [{ ...own, name: chain.targets.at(-1) ?? hostname }, ...parents] : parents
  const isOurs = chain.targets.includes(edgeName)
  const probeBody = deps.random.bytes(PROBE_BODY_BYTES).toString('base64url')
  return {
    ...facts,
    caa,
    // Only records make a difference between CAs; and until the terms are agreed to, none is asked.
    authorities:
      isOurs && settings.termsAgreed && caa.some(({ answer }) => answer.kind === 'found')
        ? await askAuthorities(deps)
        : [],
    probes: await probeAll(deps, { ...facts, probeBody }, { settings, signal }),
    probeBody,
    terms: settings.termsAgreed ? 'agreed' : 'not-agreed',
  }
}

const PROBE_BODY_BYTES = 32

/** What addresses a name has, of both kinds. */
export async function askAddresses(
  resolver: Pick<LookDeps['resolver'], 'a' | 'aaaa'>,
  name: string,
  signal: AbortSignal,
): Promise<AddressAnswers> {
  const [a, aaaa] = await Promise.all([resolver.a(name, signal), resolver.aaaa(name, signal)])
  return { a, aaaa }
}

/** All names of the climb at once: the first with records counts, but waiting in turn is slow. */
function askCaa(
  resolver: LookDeps['resolver'],
  hostname: Hostname,
  signal: AbortSignal,
): Promise<readonly CaaLook[]> {
  return Promise.all(
    [hostname, ...parentsOf(hostname)].map(async (name) => ({
      name,
      answer: await resolver.caa(name, signal),
    })),
  )
}

/** A CA that does not answer now cannot issue either, and says so then: no reason to stop here. */
async function askAuthorities({
  issuer,
  record,
}: LookDeps): Promise<PreflightFacts['authorities']> {
  try {
    return await issuer.authorities()
  } catch (error) {
    record.authorityUnknown({ error })
    return []
  }
}

type ProbeTarget = Pick<
  PreflightFacts,
  'hostname' | 'edgeName' | 'chain' | 'addresses' | 'edgeAddresses' | 'probeBody'
>

async function probeAll(
  deps: LookDeps,
  target: ProbeTarget,
  context: { readonly settings: LookSettings; readonly signal: AbortSignal },
): Promise<readonly AddressProbe[]> {
  const ours = [...foundIn(target.edgeAddresses.a), ...foundIn(target.edgeAddresses.aaaa)]
  const isOurs = (address: string) => ours.some((other) => sameAddress(address, other))
  const addresses = addressesToProbe(target, isOurs)
  if (addresses.length === 0) return []
  const token = deps.random.bytes(PROBE_TOKEN_BYTES).toString('base64url')
  // Left to run out: taking it back would be one more write on the way to the padlock.
  await deps.challenges.show(target.hostname, token, target.probeBody, PROBE_TOKEN_LIFE)
  return Promise.all(
    addresses.map(async (address) => {
      // What customers put into DNS must not make us connect to our own surroundings.
      const isOutside = !isPrivateAddress(address) || isOurs(address)
      return {
        address,
        answers: isOutside ? await probePorts(deps, target, { ...context, address, token }) : [],
      }
    }),
  )
}

const PROBE_TOKEN_BYTES = 16
const PROBE_TOKEN_LIFE = minutes(1)
/** Nobody gives a tracking host more; who does gets the first of them looked at. */
export const ADDRESSES_MAX = 8

/** Nothing to probe where DNS alone decides; without a CNAME, what answers tells a proxy apart. */
function addressesToProbe(
  { chain, edgeName, addresses }: ProbeTarget,
  isOurs: (address: string) => boolean,
): readonly string[] {
  const all = [...foundIn(addresses.aaaa), ...foundIn(addresses.a)].slice(0, ADDRESSES_MAX)
  if (chain.targets.includes(edgeName)) return all
  const mayBeProxied = chain.end === 'complete' && chain.targets.length === 0
  const isKnown = all.some((address) => isCloudflareAddress(address) || isOurs(address))
  return mayBeProxied && !isKnown ? all : []
}

/** Asks all ports at once; as soon as one answers right, the others do not matter. */
async function probePorts(
  { probe }: LookDeps,
  { hostname, probeBody }: ProbeTarget,
  {
    settings,
    signal,
    address,
    token,
  }: {
    readonly settings: LookSettings
    readonly signal: AbortSignal
    readonly address: string
    readonly token: string
  },
): Promise<AddressProbe['answers']> {
  const enough = new AbortController()
  const until = AbortSignal.any([signal, enough.signal])
  const path = `/.well-known/acme-challenge/${token}`
  const ports = [...new Set([HTTP_PORT, ...settings.httpPorts])]
  const answers = await Promise.all(
    ports.map(async (port) => {
      try {
        const answer = await probe({ address, port, hostname, path }, until)
        if (isExpectedAnswer(answer, probeBody)) enough.abort()
        return [{ port, answer }]
      } catch (error) {
        if (signal.aborted || !enough.signal.aborted) throw error
        return []
      }
    }),
  )
  return answers.flat()
}

/** The only port where certificate authorities come (RFC 8555 §8.3). */
const HTTP_PORT = 80

function foundIn(answer: DnsAnswer<string>): readonly string[] {
  return answer.kind === 'found' ? answer.records : []
}
