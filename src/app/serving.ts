import type { CertificateStore } from '../certs/index.ts'
import { type Clock, type Hostname, parseHostname } from '../kernel/index.ts'
import type { ServingCheck } from '../lifecycle/index.ts'
import type { Store } from '../store/index.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'
import type { Nodes } from './nodes.ts'

export interface ServingDeps {
  readonly store: Store
  readonly certs: Pick<CertificateStore, 'find' | 'current'>
  readonly fleet: Pick<EdgeFleet, 'hostChanged' | 'confirm' | 'resync'>
  readonly clock: Clock
  /** The other nodes; `undefined` where there can be none. */
  readonly nodes: Nodes | undefined
}

/** CONTRACT: served by every worker within a second; a node that takes longer is not waited for. */
const OTHERS_MS_MAX = 5_000
const OTHERS_POLL_MS = 50

/**
 * Whether a certificate is really served: by every edge of this node, asked directly, and by every
 * other node that lives, which writes down what its own edges confirmed.
 */
export function createServing(deps: ServingDeps): {
  readonly check: ServingCheck
  /** Obeys what nodes tell one another, until the store is closed. */
  followNotices(signal: AbortSignal): Promise<void>
} {
  const { store, certs, fleet, nodes } = deps

  let hasFollowed = false

  /** Asks the edges here, and writes the answer down for the node that waits for it. */
  const confirmHere = async (hostname: Hostname, certificateId: string): Promise<boolean> => {
    const certificate = await certs.find(certificateId)
    if (!certificate) return false
    fleet.hostChanged(hostname)
    const served = await fleet.confirm(hostname, certificate.serial)
    if (served) await nodes?.confirm(hostname, certificateId)
    return served
  }

  return {
    check: {
      confirm: async (hostname, certificateId, signal) => {
        if (!(await confirmHere(hostname, certificateId))) {
          return { kind: 'not-served', why: 'An edge worker of this node does not serve it yet' }
        }
        const late = await waitForOthers(deps, hostname, certificateId, signal)
        if (late.length === 0) return { kind: 'served' }
        return { kind: 'not-served', why: `These nodes do not serve it yet: ${late.join(', ')}` }
      },
    },
    followNotices: async (signal) => {
      // From here on nothing is missed; what was said before is read from the store.
      const notices = store.notices(signal)
      if (nodes || hasFollowed) fleet.resync()
      hasFollowed = true
      for await (const notice of notices) {
        if (notice.kind === 'resync') {
          fleet.resync()
          continue
        }
        const hostname = parseHostname(notice.hostname)
        if (!hostname) continue
        fleet.hostChanged(hostname)
        const current = nodes && (await certs.current(hostname))
        if (current) await confirmHere(hostname, current.id)
      }
    },
  }
}

/** The living nodes that have not confirmed by the deadline. */
async function waitForOthers(
  deps: ServingDeps,
  hostname: Hostname,
  certificateId: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { clock, nodes } = deps
  const deadline = clock.monotonicMs() + OTHERS_MS_MAX
  for (;;) {
    const late = (await nodes?.without(hostname, certificateId)) ?? []
    if (late.length === 0 || clock.monotonicMs() >= deadline) return late
    await clock.sleep(OTHERS_POLL_MS, signal)
  }
}
