import type { Hostname } from '../../kernel/index.ts'
import { ApiError } from '../errors.ts'
import type { ApiPorts, HostView } from '../ports.ts'
import type { WireHost } from './contract.ts'
import { requireHost } from './names.ts'
import { hostToWire } from './to-wire.ts'

type ShownHostPorts = Pick<ApiPorts, 'hosts' | 'certificates'>

/** A host as it is now: after a deed it is read anew, so that all endpoints show the same. */
export async function hostNow(ports: ShownHostPorts, hostname: Hostname): Promise<WireHost> {
  return withCertificate(ports.certificates, await requireHost(ports.hosts, hostname))
}

/** A host, and the certificate that it serves. */
export async function withCertificate(
  certificates: ApiPorts['certificates'],
  host: HostView,
): Promise<WireHost> {
  return hostToWire(host, await certificates.current(host.hostname))
}

/** A host that something can still be done for. Throws 'hosts/not-found', 'hosts/retired'. */
export async function requireLivingHost(
  hosts: ApiPorts['hosts'],
  typed: string,
): Promise<HostView> {
  const host = await requireHost(hosts, typed)
  if (host.state !== 'retired') return host
  throw new ApiError('hosts/retired', `${host.hostname} is retired.`, {
    fix: `Add it again: postern host add ${host.hostname}.`,
  })
}
