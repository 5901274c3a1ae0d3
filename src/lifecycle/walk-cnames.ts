import type { CnameChain } from '../hosts/index.ts'
import type { Hostname } from '../kernel/index.ts'
import type { Resolver } from '../net/index.ts'

/** Boulder's resolvers give up at about this depth; nobody has more on purpose. */
const HOPS_MAX = 8

/** Where `hostname` leads. The edge name is where it is to lead, and needs no CNAME of its own. */
export async function walkToEdge(
  resolver: Pick<Resolver, 'cname'>,
  { hostname, edgeName }: { readonly hostname: Hostname; readonly edgeName: Hostname },
  signal: AbortSignal,
): Promise<CnameChain> {
  const chain = await walkCnames(resolver, hostname, signal)
  return hostname === edgeName ? { ...chain, targets: [edgeName, ...chain.targets] } : chain
}

/** Follows CNAMEs from `name`, one question each, so that a reader sees where they lead. */
export async function walkCnames(
  resolver: Pick<Resolver, 'cname'>,
  name: string,
  signal: AbortSignal,
): Promise<CnameChain> {
  const targets: string[] = []
  for (let from = name; targets.length < HOPS_MAX; ) {
    const answer = await resolver.cname(from, signal)
    if (answer.kind === 'none') return { targets, end: 'complete' }
    if (answer.kind !== 'found') return { targets, end: answer.kind }
    // Some servers answer with the whole chain; the first is the record that was asked for.
    const [target] = answer.records
    if (target === undefined) return { targets, end: 'complete' }
    const isCircle = target === name || targets.includes(target)
    targets.push(target)
    if (isCircle) return { targets, end: 'loop' }
    from = target
  }
  return { targets, end: 'too-long' }
}
