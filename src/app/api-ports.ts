import type { Issuer } from '../acme/index.ts'
import type { ApiPorts } from '../api/index.ts'
import type { CertificateStore } from '../certs/index.ts'
import type { HostTable } from '../hosts/index.ts'
import type { Clock } from '../kernel/index.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import type { Store } from '../store/index.ts'
import { type LinkKeys, readHits, signLink } from '../tracking/index.ts'

export interface ApiPortDeps {
  readonly hosts: HostTable
  readonly certs: CertificateStore
  readonly issuer: Issuer
  readonly lifecycle: Lifecycle
  readonly linkKeys: LinkKeys
  readonly store: Store
  readonly clock: Clock
}

/** The parts in the form in which the API asks for them. */
export function toApiPorts(deps: ApiPortDeps): Omit<ApiPorts, 'health' | 'metrics' | 'keys'> {
  const { hosts, certs, issuer, lifecycle, linkKeys, store } = deps
  return {
    hosts,
    hostLife: lifecycle,
    certificates: certs,
    acme: issuer,
    links: {
      sign: async ({ hostname, secure, ...link }) =>
        `${secure ? 'https' : 'http'}://${hostname}${signLink({ hostname, ...link }, linkKeys.current())}`,
    },
    hits: { page: (request) => readHits(store, request) },
  }
}
