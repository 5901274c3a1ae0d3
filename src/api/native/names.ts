import { type Hostname, parentsOf, parseHostname } from '../../kernel/index.ts'
import { ApiError } from '../errors.ts'
import type { HostsPort, HostView } from '../ports.ts'

/** Names are echoed in errors up to here: enough to recognise one's own. */
const ECHO_CHARACTERS_MAX = 80

/** A typed name as a hostname. Throws 'hosts/bad-name'. */
export function requireHostname(typed: string): Hostname {
  const hostname = parseHostname(typed)
  if (hostname) return hostname
  const shown = JSON.stringify(typed.slice(0, ECHO_CHARACTERS_MAX))
  throw new ApiError('hosts/bad-name', `${shown} cannot be a tracking host.`, {
    fix: 'Use a full DNS name such as email.customer.com: no address, wildcard, path or underscore.',
  })
}

/** A host that was added once. Throws 'hosts/bad-name', 'hosts/not-found'. */
export async function requireHost(hosts: HostsPort, typed: string): Promise<HostView> {
  const hostname = requireHostname(typed)
  const host = await hosts.find(hostname)
  if (host) return host
  throw new ApiError('hosts/not-found', `${hostname} is not one of our hosts.`, {
    fix: `Add it: postern host add ${hostname}.`,
  })
}

/** The sending domain a host belongs to unless told otherwise: what stands after its first label. */
export function defaultDomain(hostname: Hostname): string {
  const [parent] = parentsOf(hostname)
  return parent?.includes('.') ? parent : hostname
}
