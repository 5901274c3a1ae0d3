import { createHostTable } from '../../src/hosts/index.ts'
import { type Hostname, systemClock, systemRandom } from '../../src/kernel/index.ts'
import type { Store } from '../../src/store/index.ts'

/** Lets a host leave, as far as the store is concerned: retired, and its keys destroyed. */
export async function leave(store: Store, hostname: Hostname): Promise<void> {
  const hosts = createHostTable({ store, clock: systemClock, random: systemRandom })
  await hosts.add(hostname, 'customer.test')
  await hosts.retire(hostname)
  await hosts.destroyRetiredKeys(hostname)
}
