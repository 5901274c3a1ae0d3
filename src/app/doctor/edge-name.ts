import type { DnsAnswer, Resolver } from '../../net/index.ts'
import type { DoctorCheck, Finding } from './check.ts'

/** `edge.name` in DNS: it must have addresses, or no customer's CNAME leads anywhere. */
export function edgeNameCheck({
  name,
  resolver,
}: {
  readonly name: string | undefined
  readonly resolver: Pick<Resolver, 'a' | 'aaaa'>
}): DoctorCheck {
  return {
    name: 'edge name',
    run: async (signal) => {
      if (name === undefined) return NOT_SET
      const [v4, v6] = await Promise.all([resolver.a(name, signal), resolver.aaaa(name, signal)])
      const addresses = [...recordsOf(v4), ...recordsOf(v6)]
      if (addresses.length > 0) return { verdict: 'ok', seen: `${name}: ${addresses.join(', ')}` }
      return {
        verdict: 'bad',
        seen: `${name} has no address (A: ${v4.kind}, AAAA: ${v6.kind})`,
        fix: `Publish ${name}. A with the public IPv4 address of this machine (AAAA for IPv6).`,
      }
    },
  }
}

function recordsOf(answer: DnsAnswer<string>): readonly string[] {
  return answer.kind === 'found' ? answer.records : []
}

const NOT_SET: Finding = {
  verdict: 'bad',
  seen: 'not set',
  fix: "Set edge.name to the name that customers' CNAMEs shall point to.",
}
