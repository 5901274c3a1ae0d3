import type { Accounts } from '../accounts/index.ts'
import type { Forecast, Issuer } from '../acme/index.ts'
import type { ApiPorts } from '../api/index.ts'
import type { CertificateStore } from '../certs/index.ts'
import type { EventLog, Webhooks } from '../events/index.ts'
import type { HostTable } from '../hosts/index.ts'
import type { Lifecycle } from '../lifecycle/index.ts'
import type { Store } from '../store/index.ts'
import { type LinkKeys, readHits, signLink } from '../tracking/index.ts'
import type { MovingHits } from './moving-hits.ts'
import { describeQueue } from './queued-hosts.ts'

export interface ApiPortDeps {
  readonly hosts: HostTable
  readonly certs: CertificateStore
  readonly issuer: Issuer
  /** `createRenewalForecast` */
  readonly forecast: () => Promise<Forecast>
  readonly lifecycle: Lifecycle
  readonly accounts: Accounts
  readonly events: EventLog
  readonly webhooks: Webhooks
  readonly linkKeys: LinkKeys
  readonly hits: Pick<MovingHits, 'catchUp'>
  readonly store: Store
}

/** The parts in the form in which the API asks for them. */
export function toApiPorts(deps: ApiPortDeps): Omit<ApiPorts, 'health' | 'metrics' | 'keys'> {
  const { hosts, certs, issuer, forecast, lifecycle, linkKeys, hits, store } = deps
  const { accounts, events, webhooks } = deps
  return {
    ...{ hosts, accounts, events, webhooks, hostLife: lifecycle, certificates: certs },
    acme: {
      describe: () => issuer.describe(),
      queue: async () => describeQueue((await lifecycle.queue()).waiting, store),
      forecast,
    },
    links: {
      sign: async ({ hostname, secure, ...link }) =>
        `${secure ? 'https' : 'http'}://${hostname}${signLink({ hostname, ...link }, linkKeys.current())}`,
    },
    hits: {
      page: async (request) => {
        // Whoever clicks and then asks is shown that click.
        await hits.catchUp()
        return await readHits(store, request)
      },
    },
  }
}
