import type { Reason } from '../kernel/index.ts'
import { toPrintable } from '../net/index.ts'
import { foundIn, isAmong, list, unanswered } from './dns-words.ts'
import type { Check } from './host-life.ts'
import { type DnsFacts, type Finding, judgeCname } from './preflight.ts'

/** What was seen of a host with which nothing is due: DNS, and what its visitors get by TLS. */
export interface RegularFacts extends Omit<DnsFacts, 'probes' | 'probeBody'> {
  readonly sights: readonly AddressSight[]
  /** Of the certificate that we serve for it. */
  readonly serial: string
}

/** What the ports of one address showed in a handshake for the host. */
export interface AddressSight {
  readonly address: string
  readonly shown: readonly PortSight[]
}

export interface PortSight {
  readonly port: number
  /** Of the certificate that came; `undefined`: there was no handshake. */
  readonly certificate: { readonly serial: string; readonly issuer: string } | undefined
}

export type RegularJudgement =
  | { readonly kind: 'well'; readonly checks: readonly Check[] }
  | {
      readonly kind: 'trouble'
      readonly reason: Reason
      readonly checks: readonly Check[]
      /** See `leadsElsewhere`. */
      readonly isAway: boolean
    }
  | { readonly kind: 'mismatch'; readonly reason: Reason; readonly checks: readonly Check[] }

/** Judges whether a host that is served still leads here, and whether visitors get what we serve. */
export function judgeRegularLook(facts: RegularFacts): RegularJudgement {
  const checks: Check[] = []
  for (const judge of [judgeChain, judgeAnyAddress]) {
    const { check, reason } = judge(facts)
    checks.push(check)
    if (reason) return { kind: 'trouble', reason, checks, isAway: leadsElsewhere(facts, reason) }
  }
  const { check, reason } = judgeSights(facts)
  checks.push(check)
  return reason ? { kind: 'mismatch', reason, checks } : { kind: 'well', checks }
}

/**
 * Is it DNS itself that says so, and not its silence? A host whose address is ours still leads here,
 * and where the edge's own name has no address, it is our resolver that cannot be believed.
 */
export function leadsElsewhere(
  { addresses, edgeAddresses }: Pick<DnsFacts, 'addresses' | 'edgeAddresses'>,
  { code }: Reason,
): boolean {
  if (!AWAY.has(code)) return false
  const ours = [...foundIn(edgeAddresses.a), ...foundIn(edgeAddresses.aaaa)]
  const found = [...foundIn(addresses.a), ...foundIn(addresses.aaaa)]
  return ours.length > 0 && !found.some((address) => isAmong(address, ours))
}

const AWAY: ReadonlySet<string> = new Set(['dns/nxdomain', 'dns/no-cname', 'dns/wrong-target'])

function judgeChain(facts: RegularFacts): Finding {
  return judgeCname({ ...facts, probes: [], probeBody: '' })
}

function judgeAnyAddress({ hostname, edgeName, addresses }: RegularFacts): Finding {
  const found = [...foundIn(addresses.a), ...foundIn(addresses.aaaa)]
  const seen = found.length > 0 ? list(found) : 'no address'
  const check = { name: 'addresses', seen, expected: 'an address' }
  if (found.length > 0) return { check: { ...check, ok: true } }
  for (const [type, { kind }] of [['A', addresses.a] as const, ['AAAA', addresses.aaaa] as const]) {
    if (kind === 'servfail' || kind === 'timeout') {
      return { check: { ...check, ok: false }, reason: unanswered(hostname, type, kind) }
    }
  }
  return {
    check: { ...check, ok: false },
    reason: {
      code: 'dns/nxdomain',
      sentence: `${hostname} leads to ${edgeName}, which has no address.`,
      fix: `The operator of ${edgeName} must give it an A or AAAA record with this server's address.`,
    },
  }
}

/**
 * An address that shows nothing may only be out of our own reach. One right answer is enough there:
 * behind a router, other ports of the same address may be the router's.
 */
function judgeSights({ hostname, sights, serial }: RegularFacts): Finding {
  const expected = `certificate ${serial}`
  const wrong = sights.find(
    ({ shown }) =>
      shown.some(({ certificate }) => certificate) &&
      !shown.some(({ certificate }) => certificate?.serial === serial),
  )
  const sight = wrong?.shown.find(({ certificate }) => certificate)
  if (!wrong || !sight?.certificate) {
    const seen = sights.some(({ shown }) => shown.some(({ certificate }) => certificate))
    return {
      check: {
        name: 'https',
        ok: true,
        seen: seen ? expected : 'not reachable from here',
        expected,
      },
    }
  }
  const { certificate, port } = sight
  const seen = `certificate ${toPrintable(certificate.serial)} of ${toPrintable(certificate.issuer)}`
  const where = `https://${hostname} (${wrong.address}, port ${port})`
  return {
    check: { name: 'https', ok: false, seen, expected },
    reason: {
      code: 'https/wrong-certificate',
      sentence: `Visitors of ${where} get ${seen} instead of the one that we serve.`,
      fix: 'Let port 443 of this address reach this server as it is: another web server, a proxy or a CDN is answering in its place.',
    },
  }
}
