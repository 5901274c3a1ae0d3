import type { CertificateStore } from '../certs/index.ts'
import { type Clock, type Hostname, parseHostname } from '../kernel/index.ts'
import type { Rehearsal, ServingCheck } from '../lifecycle/index.ts'
import type { Notice, Store } from '../store/index.ts'
import type { EdgeFleet } from './fleet/edge-fleet.ts'
import type { Nodes } from './nodes.ts'
import { createRehearsals, type Rehearsals } from './rehearsals.ts'

export interface ServingDeps {
  readonly store: Store
  readonly certs: Pick<CertificateStore, 'find' | 'current'>
  readonly fleet: Pick<EdgeFleet, 'hostChanged' | 'confirm' | 'rehearse' | 'resync'>
  readonly clock: Clock
  /** The other nodes; `undefined` where there can be none. */
  readonly nodes: Nodes | undefined
}

/** CONTRACT: served by every worker within a second; a node that takes longer is not waited for. */
const OTHERS_MS_MAX = 5_000
const OTHERS_POLL_MS = 50

/**
 * Whether a certificate is really served, or could be: by every edge of this node, asked directly,
 * and by every other node that lives, which writes down what its own edges said.
 */
export function createServing(deps: ServingDeps): {
  readonly check: ServingCheck
  /** Obeys what nodes tell one another, until the store is closed. */
  followNotices(signal: AbortSignal): Promise<void>
} {
  const { store, certs, fleet, nodes } = deps
  const rehearsals = nodes && createRehearsals({ store, nodeId: nodes.id })
  /** Certificates whose rehearsal this node asked for: it has had its own already. */
  const asking = new Set<string>()
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

  /** For another node, which waits for what is written. */
  const rehearseHere = async (hostname: Hostname, certificateId: string): Promise<void> => {
    if (!rehearsals || asking.has(certificateId)) return
    const here = await fleet.rehearse(hostname, certificateId)
    // Whoever waits for this node hears nothing then, which means the same.
    if (here.kind === 'unanswered') return
    await rehearsals.note(hostname, certificateId, here.kind === 'failed' ? here.why : undefined)
  }

  const obey = async (notice: Exclude<Notice, { kind: 'resync' }>): Promise<void> => {
    const hostname = parseHostname(notice.hostname)
    if (!hostname) return
    if (notice.kind === 'rehearse') {
      await rehearseHere(hostname, notice.certificateId)
      return
    }
    fleet.hostChanged(hostname)
    const current = nodes && (await certs.current(hostname))
    if (current) await confirmHere(hostname, current.id)
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
      rehearse: async (hostname, certificateId, signal) => {
        const here = await fleet.rehearse(hostname, certificateId)
        if (here.kind === 'unanswered') return { ...here, here: 'unanswered' }
        if (here.kind === 'failed' || !rehearsals) return here
        asking.add(certificateId)
        try {
          return await rehearseElsewhere(deps, rehearsals, { hostname, certificateId, signal })
        } finally {
          asking.delete(certificateId)
        }
      },
    },
    followNotices: async (signal) => {
      // From here on nothing is missed; what was said before is read from the store.
      const notices = store.notices(signal)
      if (nodes || hasFollowed) fleet.resync()
      hasFollowed = true
      for await (const notice of notices) {
        if (notice.kind === 'resync') fleet.resync()
        else await obey(notice)
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

interface Wanted {
  readonly hostname: Hostname
  readonly certificateId: string
  readonly signal: AbortSignal
}

/**
 * Has the other nodes rehearse, and waits for what each of them writes. One that writes nothing in
 * time says nothing against the certificate: it is not to be thrown away.
 */
async function rehearseElsewhere(
  { store, clock }: Pick<ServingDeps, 'store' | 'clock'>,
  rehearsals: Rehearsals,
  { hostname, certificateId, signal }: Wanted,
): Promise<Rehearsal> {
  if ((await rehearsals.others()).length === 0) return { kind: 'went-well' }
  // What is there is of another time: of another certificate, or of a fault that may be gone.
  await rehearsals.forget(hostname)
  await store.publish({ kind: 'rehearse', hostname, certificateId })
  const deadline = clock.monotonicMs() + OTHERS_MS_MAX
  for (;;) {
    const outcomes = await rehearsals.outcomes(hostname, certificateId)
    const others = await rehearsals.others()
    for (const { id, name } of others) {
      const problem = outcomes.find(({ nodeId }) => nodeId === id)?.problem
      if (problem !== undefined) return { kind: 'failed', why: `On node ${name}: ${problem}` }
    }
    const silent = others.filter(({ id }) => outcomes.every(({ nodeId }) => nodeId !== id))
    if (silent.length === 0) {
      await rehearsals.forget(hostname)
      return { kind: 'went-well' }
    }
    if (clock.monotonicMs() >= deadline) {
      const names = silent.map(({ name }) => name).join(', ')
      const why = `These nodes have not tried it out yet: ${names}`
      return { kind: 'unanswered', here: 'went-well', why }
    }
    await clock.sleep(OTHERS_POLL_MS, signal)
  }
}
