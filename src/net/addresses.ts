import { BlockList, isIP } from 'node:net'

/**
 * Is this an address of a private network, this machine, or nobody (RFC 6890 and its IANA
 * registries)? Such an address in somebody's DNS must not make us connect to our own surroundings.
 */
export function isPrivateAddress(address: string): boolean {
  return isIn(PRIVATE, address)
}

/** Is this Cloudflare's proxy ("orange cloud")? */
export function isCloudflareAddress(address: string): boolean {
  return isIn(CLOUDFLARE, address)
}

/** Networks that somebody listed: asked often, so made ready once. */
export function createNetworks(networks: readonly string[]): {
  readonly hold: (address: string) => boolean
} {
  const of = (family: 4 | 6): readonly string[] =>
    networks.filter((network) => isIP(network.replace(/\/.*/, '')) === family)
  const lists = networksOf(of(4), of(6))
  return { hold: (address) => isIn(lists, address) }
}

/** Is this a network, as `address/prefix`? */
export function isNetwork(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/')
  const bits = isIP(address) === 6 ? 128 : 32
  return (
    isIP(address) !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits && rest.length === 0
  )
}

/** Compares addresses by value: `::1` is `0:0::1`. */
export function sameAddress(one: string, other: string): boolean {
  return canonical(one) === canonical(other)
}

function canonical(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname : address
}

/** One list per family: Node matches an IPv4 address with IPv6 networks of mapped addresses too. */
interface Networks {
  readonly v4: BlockList
  readonly v6: BlockList
}

function isIn({ v4, v6 }: Networks, address: string): boolean {
  return isIP(address) === 6 ? v6.check(address, 'ipv6') : v4.check(address, 'ipv4')
}

function networksOf(v4: readonly string[], v6: readonly string[]): Networks {
  return { v4: listOf(v4, 'ipv4'), v6: listOf(v6, 'ipv6') }
}

function listOf(networks: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix = ''] = network.split('/')
    list.addSubnet(address, Number(prefix), family)
  }
  return list
}

const PRIVATE = networksOf(
  [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
    ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.168.0.0/16', '198.18.0.0/15'],
    ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  ],
  [
    // The last of these lead to IPv4 addresses, private ones included: mapped, NAT64, 6to4, Teredo.
    ...['::/96', '100::/64', '2001:db8::/32', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
    ...['::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', '2001::/32'],
  ],
)

/** https://www.cloudflare.com/ips/ as of 2026-11. It changes once in some years; a miss only words
 * a sentence less well. */
const CLOUDFLARE = networksOf(
  [
    ...['173.245.48.0/20', '103.21.244.0/22', '103.22.200.0/22', '103.31.4.0/22'],
    ...['141.101.64.0/18', '108.162.192.0/18', '190.93.240.0/20', '188.114.96.0/20'],
    ...['197.234.240.0/22', '198.41.128.0/17', '162.158.0.0/15', '104.16.0.0/13'],
    ...['104.24.0.0/14', '172.64.0.0/13', '131.0.72.0/22'],
  ],
  [
    ...['2400:cb00::/32', '2606:4700::/32', '2803:f800::/32', '2405:b500::/32'],
    ...['2405:8100::/32', '2a06:98c0::/29', '2c0f:f248::/32'],
  ],
)
