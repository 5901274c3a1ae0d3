import { type HistoryDraft, HTTPS_MARGIN, httpsEndsAt } from '../hosts/index.ts'
import { after, hours, milliseconds } from '../kernel/index.ts'
import type { LifecycleDeps } from './ports.ts'

type HousekeepingDeps = Pick<LifecycleDeps, 'hosts' | 'challenges' | 'publish' | 'clock' | 'record'>

/**
 * What has to happen on time whatever becomes of single hosts: https is no longer promised for a
 * certificate that is about to end, old tokens and retired hosts' keys go, and hosts are counted.
 */
export async function keepHouse({
  hosts,
  challenges,
  publish,
  clock,
  record,
}: HousekeepingDeps): Promise<void> {
  const now = clock.now()
  const ending = await hosts.endingBefore(after(now, HTTPS_MARGIN), record.attendFailed)
  for (const { hostname, ...life } of ending) {
    if (now < httpsEndsAt({ ...life, renewAt: life.notAfter })) continue
    const draft: HistoryDraft = {
      step: 'https',
      outcome: 'done',
      sentence: `The certificate ends on ${life.notAfter.toISOString()} and has not been replaced: mail links with http again.`,
    }
    if (!(await hosts.endHttps(hostname, draft))) continue
    record.stepTaken({ hostname, ...draft })
    await publish({ kind: 'host-changed', hostname })
  }
  await sweepKeys({ hosts, record }, after(now, milliseconds(-LATE_WRITES_LAST)))
  await challenges.sweep()
  record.hostsByState(await hosts.countByState())
}

/** Much longer than a run: a node that did not hear of the retirement has saved its key by then. */
const LATE_WRITES_LAST = hours(1)

/** Destroys the keys that are left of hosts retired after `since`. */
export async function sweepKeys(
  { hosts, record }: Pick<LifecycleDeps, 'hosts' | 'record'>,
  since: Date,
): Promise<void> {
  for (const hostname of await hosts.retiredWithKeys(since, record.attendFailed)) {
    await hosts.destroyRetiredKeys(hostname)
  }
}
