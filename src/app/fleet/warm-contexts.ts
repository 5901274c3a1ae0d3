import { setImmediate } from 'node:timers/promises'
import type { CertificateCache } from '../../certs/index.ts'
import type { RecentVisits } from '../../hosts/index.ts'
import type { CertsRecord } from '../../telemetry/index.ts'

/** Half of what fits into a worker's memory for contexts: there is room for whoever comes. */
const WARMED_HOSTS_MAX = 900

export interface WarmingDeps {
  readonly visits: RecentVisits
  readonly certificates: Pick<CertificateCache, 'contextFor'>
  readonly record: Pick<CertsRecord, 'contextsWarmed' | 'warmingFailed'>
}

/**
 * Makes the contexts of the hosts that were visited last, after a start: their next visitors find
 * them ready. One per turn of the event loop, so that visitors are served in between. Disposing ends
 * it.
 */
export function warmContexts({ visits, certificates, record }: WarmingDeps): AsyncDisposable {
  let isStopped = false
  const warm = async (): Promise<void> => {
    const hostnames = await visits.latest(WARMED_HOSTS_MAX)
    let warmed = 0
    for (const hostname of hostnames) {
      if (isStopped) return
      if (await certificates.contextFor(hostname)) warmed += 1
      await setImmediate()
    }
    record.contextsWarmed({ warmed })
  }
  // The store is away, say: contexts are then made as visitors ask for them.
  const warming = warm().catch((error: unknown) => record.warmingFailed({ error }))
  return {
    [Symbol.asyncDispose]: async () => {
      isStopped = true
      await warming
    },
  }
}
