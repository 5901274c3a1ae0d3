import type { Hostname, Reason } from '../kernel/index.ts'
import { type DnsAnswer, isCloudflareAddress, type ProbeAnswer, toPrintable } from '../net/index.ts'
import { type CaaAuthority, type CaaLook, type CaaVerdict, judgeCaa } from './caa.ts'
import { foundIn, isAmong, list, pathOf, unanswered } from './dns-words.ts'
import type { Check } from './host-life.ts'

/** What was seen of a host from outside, before a CA is asked for anything. */
export interface PreflightFacts {
  readonly hostname: Hostname
  /** Where its CNAME is expected to lead. */
  readonly edgeName: Hostname
  readonly chain: CnameChain
  readonly addresses: AddressAnswers
  readonly edgeAddresses: AddressAnswers
  /** In the order in which they count: the name, its parents. */
  readonly caa: readonly CaaLook[]
  /** Those that may be asked, in order of preference; none if nobody could say who they are. */
  readonly authorities: readonly CaaAuthority[]
  readonly probes: readonly AddressProbe[]
  /** What a probe must bring back. */
  readonly probeBody: string
  readonly terms: 'agreed' | 'not-agreed'
}

/** Where CNAMEs lead, nearest first, and how the walk ended. */
export interface CnameChain {
  readonly targets: readonly string[]
  readonly end: 'complete' | 'loop' | 'too-long' | 'nxdomain' | 'servfail' | 'timeout'
}

export interface AddressAnswers {
  readonly a: DnsAnswer<string>
  readonly aaaa: DnsAnswer<string>
}

/** What the ports of one address answered. None: the address was not probed, being private. */
export interface AddressProbe {
  readonly address: string
  readonly answers: readonly PortAnswer[]
}

export interface PortAnswer {
  readonly port: number
  readonly answer: ProbeAnswer
}

export type PreflightJudgement =
  | {
      readonly kind: 'ready'
      readonly checks: readonly Check[]
      /** Names of the CAs that CAA records allow; `undefined`: all. */
      readonly allowedCas: readonly string[] | undefined
    }
  | { readonly kind: 'not-ready'; readonly reason: Reason; readonly checks: readonly Check[] }

/**
 * Judges whether a CA may be asked for a certificate. One thing is wrong at a time for a reader:
 * the first that is, in the order in which people can mend them.
 */
export function judgePreflight(facts: PreflightFacts): PreflightJudgement {
  const checks: Check[] = []
  for (const judge of [judgeCname, judgeAddresses, judgeCaaRecords, judgeAnswers, judgeTerms]) {
    const { check, reason } = judge(facts)
    checks.push(check)
    if (reason) return { kind: 'not-ready', reason, checks }
  }
  return { kind: 'ready', checks, allowedCas: allowedBy(facts) }
}

export interface Finding {
  readonly check: Check
  readonly reason?: Reason
}

/** What DNS says of where a host leads. */
export type DnsFacts = Pick<
  PreflightFacts,
  'hostname' | 'edgeName' | 'chain' | 'addresses' | 'edgeAddresses' | 'probes' | 'probeBody'
>

/** Does a CNAME lead here? */
export function judgeCname(facts: DnsFacts): Finding {
  const { hostname, edgeName, chain } = facts
  if (hostname === edgeName) {
    const seen = 'the edge name itself'
    return { check: { name: 'cname', ok: true, seen, expected: 'no CNAME to itself' } }
  }
  const seen = chain.targets.length > 0 ? `CNAME ${pathOf(chain.targets)}` : 'no CNAME'
  const check = { name: 'cname', seen, expected: `CNAME ${edgeName}` }
  if (chain.targets.includes(edgeName)) return { check: { ...check, ok: true } }
  return {
    check: { ...check, ok: false },
    reason: whyNoCname(facts, `${hostname}. CNAME ${edgeName}.`),
  }
}

function whyNoCname(facts: DnsFacts, record: string): Reason {
  const { hostname, edgeName, chain } = facts
  const path = pathOf([hostname, ...chain.targets])
  switch (chain.end) {
    case 'servfail':
    case 'timeout':
      return unanswered(toPrintable(chain.targets.at(-1) ?? hostname), 'CNAME', chain.end)
    case 'nxdomain':
      return chain.targets.length === 0
        ? {
            code: 'dns/nxdomain',
            sentence: `${hostname} does not exist in DNS (NXDOMAIN).`,
            fix: `Create this DNS record: ${record}`,
          }
        : wrongTarget(`${path}, and that name does not exist (NXDOMAIN)`, facts, record)
    case 'loop':
      return wrongTarget(`${path}, which is a circle`, facts, record)
    case 'too-long':
      return wrongTarget(`${path} and on, which is too long to follow`, facts, record)
    case 'complete':
      return chain.targets.length === 0
        ? whyNotEvenOne(facts, record)
        : wrongTarget(`${path}, which is not ${edgeName}`, facts, record)
  }
}

function wrongTarget(what: string, { edgeName, chain }: DnsFacts, record: string): Reason {
  const appended = chain.targets.some((target) => target.startsWith(`${edgeName}.`))
  const hint = appended
    ? ' Your DNS editor has appended your own domain: end the target with a dot.'
    : ''
  return {
    code: 'dns/wrong-target',
    sentence: `The CNAME leads ${what}.`,
    fix: `Change it to this DNS record: ${record}${hint}`,
  }
}

function whyNotEvenOne(facts: DnsFacts, record: string): Reason {
  const { hostname, edgeName, addresses, edgeAddresses } = facts
  const found = [...foundIn(addresses.a), ...foundIn(addresses.aaaa)]
  const seen = found.length === 0 ? 'no CNAME record' : `no CNAME record but ${list(found)}`
  const ours = [...foundIn(edgeAddresses.a), ...foundIn(edgeAddresses.aaaa)]
  if (found.some((address) => isAmong(address, ours))) {
    return {
      code: 'dns/no-cname',
      sentence: `${hostname} points at ${edgeName} by address (${list(found)}) and not by a CNAME, so it breaks when that address changes.`,
      fix: `Replace its address records by this DNS record: ${record}`,
    }
  }
  if (found.some(isCloudflareAddress) || facts.probes.some((probe) => isRight(probe, facts))) {
    return {
      code: 'dns/proxied',
      sentence: `${hostname} has ${seen}: a proxy${found.some(isCloudflareAddress) ? ' (Cloudflare)' : ''} stands in front of it and hides where it points.`,
      fix: `Switch the proxy off for this name (in Cloudflare: the orange cloud, to "DNS only"), so that the world sees this DNS record: ${record}`,
    }
  }
  return {
    code: 'dns/no-cname',
    sentence: `${hostname} has ${seen}.`,
    fix:
      found.length === 0
        ? `Set this DNS record: ${record}`
        : `Replace its address records by this DNS record: ${record}`,
  }
}

function judgeAddresses(facts: PreflightFacts): Finding {
  const { hostname, edgeName, addresses, edgeAddresses } = facts
  const v4 = foundIn(addresses.a)
  const v6 = foundIn(addresses.aaaa)
  const edgeV6 = foundIn(edgeAddresses.aaaa)
  const seen = v4.length + v6.length === 0 ? 'no address' : list([...v4, ...v6])
  const expected = list([...foundIn(edgeAddresses.a), ...edgeV6])
  const check = { name: 'addresses', seen, expected: expected === '' ? 'an address' : expected }
  const wrong = (reason: Reason): Finding => ({ check: { ...check, ok: false }, reason })

  for (const [type, answer] of [['A', addresses.a] as const, ['AAAA', addresses.aaaa] as const]) {
    if (answer.kind === 'servfail' || answer.kind === 'timeout') {
      return wrong(unanswered(hostname, type, answer.kind))
    }
  }
  if (v4.length + v6.length === 0) {
    return wrong({
      code: 'dns/nxdomain',
      sentence: `${hostname} leads to ${edgeName}, which has no address.`,
      fix: `The operator of ${edgeName} must give it an A or AAAA record with this server's address.`,
    })
  }
  const leftOver = v6.filter((address) => !(isAmong(address, edgeV6) || isRightAt(address, facts)))
  if (leftOver.length > 0) {
    return wrong({
      code: 'dns/leftover-aaaa',
      sentence: `${hostname} also has the IPv6 address ${list(leftOver)}, which does not belong to ${edgeName}; certificate authorities and browsers try IPv6 first.`,
      fix: `Remove this DNS record: ${hostname}. AAAA ${list(leftOver)}`,
    })
  }
  return { check: { ...check, ok: true } }
}

/** Where nobody knows what the CAs are called, and where no record names any, all are allowed. */
function allowedBy({ caa, authorities }: PreflightFacts): readonly string[] | undefined {
  const allowed = authorities.filter((authority) => isAllowed(judgeCaa(caa, authority)))
  return allowed.length === authorities.length ? undefined : allowed.map(({ name }) => name)
}

/** One CA that may issue is enough; if none may, the preferred one says why. */
function judgeCaaRecords({ caa, authorities }: PreflightFacts): Finding {
  const [preferred, ...others] = authorities
  const first = judgeCaa(caa, preferred)
  const verdict = [first, ...others.map((other) => judgeCaa(caa, other))].find(isAllowed) ?? first
  const who = preferred?.name ?? 'the certificate authority'
  const expected = `${[who, ...others.map(({ name }) => name)].join(' or ')} may issue`
  if (verdict.kind === 'allowed') {
    return { check: { name: 'caa', ok: true, seen: verdict.because, expected } }
  }
  return caaRefusal(verdict, { who, expected, identity: preferred?.caaIdentities[0] })
}

function isAllowed({ kind }: CaaVerdict): boolean {
  return kind === 'allowed'
}

function caaRefusal(
  verdict: Exclude<CaaVerdict, { kind: 'allowed' }>,
  {
    who,
    expected,
    identity,
  }: { readonly who: string; readonly expected: string; readonly identity: string | undefined },
): Finding {
  if (verdict.kind === 'unanswered') {
    const reason = unanswered(verdict.at, 'CAA', verdict.how)
    return { check: { name: 'caa', ok: false, seen: reason.sentence, expected }, reason }
  }
  const { at, because } = verdict
  return {
    check: { name: 'caa', ok: false, seen: `${because} at ${at}`, expected },
    reason: {
      code: 'caa/forbids',
      sentence: `The CAA records of ${at} do not let ${who} issue a certificate: ${because}.`,
      fix:
        identity === undefined || because.startsWith('a critical')
          ? `Remove that CAA record from ${at}.`
          : `Add this DNS record: ${at}. CAA 0 issue "${identity}"`,
    },
  }
}

function judgeAnswers(facts: PreflightFacts): Finding {
  const { hostname, probes } = facts
  const expected = 'our token'
  const right = probes.filter((probe) => isRight(probe, facts))
  const wrong = probes.find((probe) => !(right.includes(probe) || hasNoRoute(probe)))
  if (!wrong && right.length > 0) {
    const seen = `our token from ${list(right.map(({ address }) => address))}`
    return { check: { name: 'http', ok: true, seen, expected } }
  }
  const reason = whyWrong(hostname, wrong ?? probes[0])
  return { check: { name: 'http', ok: false, seen: reason.sentence, expected }, reason }
}

function whyWrong(hostname: string, probe: AddressProbe | undefined): Reason {
  const shown = probe && mostTelling(probe)
  if (!shown) {
    return {
      code: 'http/unreachable',
      sentence: `${hostname} leads to ${probe?.address ?? 'no address'}, a private address that no certificate authority can reach.`,
      fix: 'Use a public address, or let the edge name itself have this address if all of this is private on purpose.',
    }
  }
  const { port, answer } = shown
  const where = `http://${hostname} (${probe.address}, port ${port})`
  switch (answer.kind) {
    case 'unreachable':
      return {
        code: 'http/unreachable',
        sentence: `${where} cannot be reached: ${WORDS_BY_FAILURE[answer.why]}.`,
        fix: `Let port 80 of ${probe.address} reach this server: certificate authorities come to no other. Look at firewalls and port forwarding.`,
      }
    case 'redirected':
      return {
        ...WRONG_ANSWER,
        sentence: `${where} redirects to ${toPrintable(answer.location)} instead of answering with our token.`,
      }
    case 'answered': {
      const server = answer.server === undefined ? '' : ` by "${toPrintable(answer.server, 40)}"`
      return {
        ...WRONG_ANSWER,
        sentence: `${where} answered ${answer.status}${server} with "${toPrintable(answer.body)}" instead of our token.`,
      }
    }
  }
}

const WRONG_ANSWER = {
  code: 'http/wrong-answer',
  fix: 'Let requests for /.well-known/acme-challenge/ reach this server as they are: another web server, a proxy or a CDN is answering in its place.',
} as const satisfies Omit<Reason, 'sentence'>

const WORDS_BY_FAILURE = {
  refused: 'the connection was refused',
  timeout: 'there was no answer in time',
  'no-route': 'there is no route from here',
  reset: 'the connection was cut',
  'not-http': 'the answer was not HTTP',
  tls: 'it redirects to https, and TLS failed there',
  failed: 'the connection failed',
} as const

function judgeTerms({ terms, authorities }: PreflightFacts): Finding {
  const check = { name: 'terms', seen: terms, expected: 'agreed' }
  if (terms === 'agreed') return { check: { ...check, ok: true } }
  return {
    check: { ...check, ok: false },
    reason: {
      code: 'term/not-agreed',
      sentence: `Everything is ready, but the terms of ${authorities[0]?.name ?? 'the certificate authority'} have not been agreed to here.`,
      fix: 'The operator must read them and set acme.agreeTerms to true.',
    },
  }
}

function isRightAt(address: string, facts: PreflightFacts): boolean {
  return facts.probes.some((probe) => probe.address === address && isRight(probe, facts))
}

function isRight({ answers }: AddressProbe, { probeBody }: DnsFacts): boolean {
  return answers.some(({ answer }) => isExpectedAnswer(answer, probeBody))
}

/** Is this what a CA would accept? It forgives white space at the end (RFC 8555 §8.3). */
export function isExpectedAnswer(answer: ProbeAnswer, probeBody: string): boolean {
  return answer.kind === 'answered' && answer.status === 200 && answer.body.trimEnd() === probeBody
}

/** This server may have no IPv6 of its own: that says nothing about the host. */
function hasNoRoute({ answers }: AddressProbe): boolean {
  return (
    answers.length > 0 &&
    answers.every(({ answer }) => answer.kind === 'unreachable' && answer.why === 'no-route')
  )
}

/** An answer says more than a redirect, that more than silence; port 80 comes first. */
function mostTelling({ answers }: AddressProbe): PortAnswer | undefined {
  return (
    answers.find(({ answer }) => answer.kind === 'answered') ??
    answers.find(({ answer }) => answer.kind === 'redirected') ??
    answers[0]
  )
}
