import { BlockList, isIP } from 'node:net'
import { EdgeError } from '../errors.ts'

/**
 * What one visitor can choose freely counts as one: an IPv4 address, and for IPv6 the /64 that every
 * subscriber gets at least (RFC 6177 §2).
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  const between = tail === undefined ? 0 : GROUPS - before.length - after.length
  const zeros = Array.from({ length: Math.max(0, between) }, () => '0')
  return `${[...before, ...zeros, ...after].slice(0, GROUPS / 2).join(':')}::/64`
}

/** Of an IPv6 address, 16 bits each. */
const GROUPS = 8

/** A set of networks. */
export interface Networks {
  has(address: string): boolean
}

const FIX = 'Write addresses or networks with commas: `127.0.0.1, 192.0.2.0/24, 2001:db8::/32`.'

/** Reads `127.0.0.1, 192.0.2.0/24, ::1`; nothing is no network. Throws 'edge/bad-address'. */
export function parseNetworks(text: string): Networks {
  const list = new BlockList()
  const parts = text.split(',').map((part) => part.trim())
  for (const part of parts) if (part !== '') addNetwork(list, part)
  // Most visitors are looked up in a list that holds two addresses: each only once per connection.
  return {
    has: (address) => {
      const family = isIP(address)
      return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
    },
  }
}

function addNetwork(list: BlockList, text: string): void {
  const [, address = '', digits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = isIP(address)
  const bits = family === 6 ? 128 : 32
  const prefix = digits === undefined ? bits : Number(digits)
  if (family === 0 || prefix > bits) {
    throw new EdgeError('edge/bad-address', `"${text}" is not an address or a network.`, {
      fix: FIX,
    })
  }
  list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4')
}
