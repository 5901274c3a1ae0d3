import type { Authority } from '../../acme/index.ts'
import { judgeCaa } from '../../hosts/index.ts'
import type { Resolver } from '../../net/index.ts'
import type { Finding } from './check.ts'

interface CaaFacts {
  /** `edge.name` */
  readonly name: string | undefined
  readonly resolver: Pick<Resolver, 'caa'>
  /** In order of preference, with account where there is one. */
  readonly authorities: readonly Authority[]
}

/**
 * CAA at the edge name counts for every customer: their host is a CNAME to it, and CAs look where
 * the CNAME leads before they climb to the customer's own records (RFC 8659 §3). Bound to our account
 * (`accounturi`, RFC 8657), they keep out whoever takes over the address but has another account.
 */
export async function lookAtCaa(
  { name, resolver, authorities }: CaaFacts,
  signal: AbortSignal,
): Promise<Finding> {
  if (name === undefined) {
    return { verdict: 'warn', seen: 'edge.name is not set', fix: 'Set edge.name first.' }
  }
  const answer = await resolver.caa(name, signal)
  if (answer.kind === 'servfail' || answer.kind === 'timeout') {
    const fix = `Let the name servers of ${name} answer CAA questions: CAs refuse otherwise.`
    return { verdict: 'bad', seen: `CAA of ${name}: ${answer.kind}`, fix }
  }
  const records = recordsFor(name, authorities)
  const fix = ['Publish', ...records].join('\n')
  if (answer.kind !== 'found') {
    if (records.length === 0) return { verdict: 'ok', seen: `no record at ${name}` }
    const seen = `no record at ${name}: a customer's own may forbid us`
    return { verdict: 'warn', seen, fix }
  }
  const forbidden = authorities.flatMap((authority) => {
    const verdict = judgeCaa([{ name, answer }], authority)
    return verdict.kind === 'forbidden' ? [`${authority.name}: ${verdict.because}`] : []
  })
  if (forbidden.length > 0) {
    return { verdict: 'bad', seen: `${name} forbids ${forbidden.join('; ')}`, fix }
  }
  const names = authorities.map((authority) => authority.name).join(', ')
  const unbound = records.filter((record) => isUnboundIn(answer.records, record))
  const advice = unbound.length === 0 ? '' : `; bound to our account: ${unbound.join(' and ')}`
  return { verdict: 'ok', seen: `${name} lets ${names} issue${advice}` }
}

/** One record for each CA; none for one that does not say how CAA records call it. */
function recordsFor(name: string, authorities: readonly Authority[]): readonly string[] {
  const values = authorities.flatMap(({ caaIdentities: [identity], accountUrl }) => {
    if (identity === undefined) return []
    return [accountUrl === undefined ? identity : `${identity}; accounturi=${accountUrl}`]
  })
  return [...new Set(values)].map((value) => `${name}. IN CAA 0 issue "${value}"`)
}

/** Would the record say more than what is published? */
function isUnboundIn(
  published: readonly { readonly tag: string; readonly value: string }[],
  record: string,
): boolean {
  const accountUrl = /accounturi=([^"]+)"/.exec(record)?.[1]
  return accountUrl !== undefined && !published.some(({ value }) => value.includes(accountUrl))
}
