import { type CaaRecord, type DnsAnswer, toPrintable } from '../net/index.ts'

// CAA (RFC 8659) with accounturi and validationmethods (RFC 8657), as a CA will judge it for one
// name, without a wildcard, by HTTP-01. A CA judges again when it issues; this is to explain.

/** Who will issue, as CAA records speak of it. */
export interface CaaAuthority {
  /** For people: "Let's Encrypt". */
  readonly name: string
  /** Empty: the CA does not say by which names CAA records know it. */
  readonly caaIdentities: readonly string[]
  /** Unknown until our account exists. */
  readonly accountUrl?: string | undefined
}

/** The CAA answer at one name. */
export interface CaaLook {
  readonly name: string
  readonly answer: DnsAnswer<CaaRecord>
}

export type CaaVerdict =
  | { readonly kind: 'allowed'; readonly because: string }
  /** `at` has the records that count, and they do not let this CA issue. */
  | { readonly kind: 'forbidden'; readonly at: string; readonly because: string }
  | { readonly kind: 'unanswered'; readonly at: string; readonly how: 'servfail' | 'timeout' }

/**
 * Judges the CAA records met on the way up: `looks` holds the name itself, then what its CNAMEs
 * lead to, then its parents. The first name with records decides (RFC 8659 §3); a name whose
 * servers do not answer stops the climb, because it might have had some.
 */
export function judgeCaa(
  looks: readonly CaaLook[],
  authority: CaaAuthority | undefined,
): CaaVerdict {
  for (const { name, answer } of looks) {
    if (answer.kind === 'servfail' || answer.kind === 'timeout') {
      return { kind: 'unanswered', at: name, how: answer.kind }
    }
    if (answer.kind === 'found') return judgeRecords(name, answer.records, authority)
  }
  return { kind: 'allowed', because: 'no CAA record' }
}

function judgeRecords(
  at: string,
  records: readonly CaaRecord[],
  authority: CaaAuthority | undefined,
): CaaVerdict {
  const unknown = records.find(({ critical, tag }) => critical && !KNOWN_TAGS.has(tag))
  if (unknown) {
    const tag = toPrintable(unknown.tag)
    return { kind: 'forbidden', at, because: `a critical record with the unknown tag "${tag}"` }
  }
  const issuers = records.filter(({ tag }) => tag === 'issue')
  if (issuers.length === 0) return { kind: 'allowed', because: `no issue record at ${at}` }
  if (!authority || authority.caaIdentities.length === 0) {
    return { kind: 'allowed', because: `${at} names CAs, ours does not say what it is called` }
  }
  const judged = issuers.map(({ value }) => ({ value, refusal: whyNot(value, authority) }))
  const allowing = judged.find(({ refusal }) => refusal === undefined)
  if (allowing) return { kind: 'allowed', because: `${quote(allowing.value)} at ${at}` }
  const because = judged
    .slice(0, RECORDS_SHOWN_MAX)
    .map(({ value, refusal }) => `${quote(value)} ${refusal}`)
    .join(', ')
  return { kind: 'forbidden', at, because }
}

/** A critical record with another tag stops every CA that obeys RFC 8659 §4.1. */
const KNOWN_TAGS: ReadonlySet<string> = new Set([
  ...['issue', 'issuewild', 'iodef', 'issuemail', 'issuevmc', 'contactemail', 'contactphone'],
])

const RECORDS_SHOWN_MAX = 4

/** Why one `issue` value does not let this CA issue; `undefined` if it does. */
function whyNot(value: string, { caaIdentities, accountUrl }: CaaAuthority): string | undefined {
  const issuer = parseIssueValue(value)
  if (!issuer) return 'cannot be read'
  if (issuer.domain === '') return 'forbids every CA'
  if (!caaIdentities.some((identity) => identity.toLowerCase() === issuer.domain)) {
    return 'is another CA'
  }
  const accounts = issuer.parameters.filter(({ name }) => name === 'accounturi')
  if (accounts.length > 1) return 'names several accounts, which none can be' // RFC 8657 §3
  const [account] = accounts
  if (account && accountUrl !== undefined && account.value !== accountUrl) {
    return 'is for another account'
  }
  const methods = issuer.parameters.find(({ name }) => name === 'validationmethods')
  if (methods && !methods.value.split(',').some((method) => method.trim() === 'http-01')) {
    return 'does not allow HTTP-01'
  }
  return undefined
}

interface IssueValue {
  /** In lower case; empty means "nobody". */
  readonly domain: string
  readonly parameters: readonly IssueParameter[]
}

interface IssueParameter {
  readonly name: string
  readonly value: string
}

/** RFC 8659 §4.2: `[domain] [; [name=value [; name=value]…]]`. */
function parseIssueValue(text: string): IssueValue | undefined {
  const [domain = '', ...rest] = text.split(';').map((piece) => piece.trim())
  if (!/^[A-Za-z0-9.-]*$/.test(domain)) return undefined
  const parameters: IssueParameter[] = []
  for (const piece of rest) {
    if (piece === '') continue
    const match = /^([A-Za-z0-9]+)\s*=\s*([\x21-\x7e]*)$/.exec(piece)
    if (!match) return undefined
    const [, name = '', value = ''] = match
    parameters.push({ name: name.toLowerCase(), value })
  }
  return { domain: domain.toLowerCase(), parameters }
}

function quote(value: string): string {
  return `"${toPrintable(value)}"`
}
