import type { Authority, CaHealth, Issuer } from '../../acme/index.ts'
import type { Config } from '../../config/index.ts'
import type { Clock } from '../../kernel/index.ts'
import type { Resolver } from '../../net/index.ts'
import type { DoctorCheck, Finding } from './check.ts'

type Ca = Pick<Issuer, 'checkHealth' | 'authority'>

/** Runs `work` with the configured CA at hand. */
export type WithCa = <Result>(work: (ca: Ca) => Promise<Result>) => Promise<Result>

/** More than this and signatures, tickets and certificates are judged at the wrong time. */
const SKEW_MS_MAX = 60_000

interface AuthorityDeps {
  readonly withCa: WithCa
  readonly clock: Clock
  readonly resolver: Pick<Resolver, 'caa'>
}

/** The CA: does it answer, does its clock agree with ours, and may it issue for our customers? */
export function authorityChecks(
  { withCa, clock, resolver }: AuthorityDeps,
  { acme, edge }: Pick<Config, 'acme' | 'edge'>,
): readonly DoctorCheck[] {
  return [
    { name: 'acme terms', run: async () => judgeTerms(acme) },
    {
      name: 'certificate authority',
      run: (signal) => withCa(async (ca) => judgeHealth(await ca.checkHealth(signal), acme.ca)),
    },
    {
      name: 'clock',
      run: (signal) => withCa(async (ca) => judgeClock(await ca.checkHealth(signal), clock.now())),
    },
    {
      name: 'caa',
      run: (signal) =>
        withCa(async (ca) => lookAtCaa(edge.name, resolver, await ca.authority(), signal)),
    },
  ]
}

function judgeTerms({ agreeTerms, email }: Config['acme']): Finding {
  if (!agreeTerms) {
    const fix = 'Read the terms of service of the CA, then set acme.agreeTerms to true.'
    return { verdict: 'bad', seen: 'the terms of service are not agreed to', fix }
  }
  if (email !== undefined) return { verdict: 'ok', seen: `agreed to, contact ${email}` }
  const fix = 'Set acme.email, so that the CA can warn you of trouble.'
  return { verdict: 'warn', seen: 'agreed to, but no contact', fix }
}

function judgeHealth(health: CaHealth, ca: string): Finding {
  if (health.kind === 'reachable') return { verdict: 'ok', seen: `${ca} answers` }
  const fix = health.fix ?? 'Allow outgoing https, and check acme.ca and acme.roots.'
  return { verdict: 'bad', seen: `${ca} does not answer: ${health.reason}`, fix }
}

function judgeClock(health: CaHealth, now: Date): Finding {
  const caDate = health.kind === 'reachable' ? health.caDate : undefined
  if (caDate === undefined) {
    const fix = 'Check it by hand: date -u, timedatectl.'
    return { verdict: 'warn', seen: 'the CA does not tell the time', fix }
  }
  const skewMs = now.getTime() - caDate.getTime()
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  if (Math.abs(skewMs) <= SKEW_MS_MAX) return { verdict: 'ok', seen: `${seconds} s from the CA's` }
  const seen = `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} the CA's`
  return { verdict: 'warn', seen, fix: 'Let a time service set it: timedatectl set-ntp true.' }
}

/**
 * CAA at the edge name counts for every customer: their host is a CNAME to it, and CAs look where
 * the CNAME leads before they climb to the customer's own records (RFC 8659 §3).
 */
async function lookAtCaa(
  name: string | undefined,
  resolver: Pick<Resolver, 'caa'>,
  authority: Authority,
  signal: AbortSignal,
): Promise<Finding> {
  if (name === undefined) {
    return { verdict: 'warn', seen: 'edge.name is not set', fix: 'Set edge.name first.' }
  }
  const answer = await resolver.caa(name, signal)
  const record = recordFor(name, authority)
  if (answer.kind === 'servfail' || answer.kind === 'timeout') {
    const fix = `Let the name servers of ${name} answer CAA questions: CAs refuse otherwise.`
    return { verdict: 'bad', seen: `CAA of ${name}: ${answer.kind}`, fix }
  }
  if (answer.kind !== 'found') {
    return { verdict: 'ok', seen: `no record at ${name}; this one would do: ${record}` }
  }
  const issuers = answer.records.filter(({ tag }) => tag === 'issue').map(({ value }) => value)
  if (issuers.length === 0 || issuers.some((value) => isFor(value, authority))) {
    return { verdict: 'ok', seen: `${name} lets ${authority.name} issue` }
  }
  const seen = `${name} only lets ${issuers.join(', ')} issue`
  return { verdict: 'bad', seen, fix: `Publish ${record}` }
}

/** RFC 8659 §4.2: the domain before the first semicolon. A CA without known names may be any. */
function isFor(value: string, { caaIdentities }: Authority): boolean {
  const domain = value.split(';')[0]?.trim().toLowerCase()
  return caaIdentities.length === 0 || caaIdentities.some((each) => each.toLowerCase() === domain)
}

function recordFor(name: string, { caaIdentities }: Authority): string {
  return `${name}. IN CAA 0 issue "${caaIdentities[0] ?? 'the name of your CA'}"`
}
