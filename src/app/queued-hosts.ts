import type { QueuedView } from '../api/index.ts'
import { URGENCIES, type Urgency, urgencyRank } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'

/**
 * Who waits for room at a CA, by urgency, and since when the next in line does: it is among the
 * longest to wait, and found without looking at all of them.
 */
export async function describeQueue(
  counts: Readonly<Record<Urgency, number>>,
  { db }: Pick<Store, 'db'>,
): Promise<readonly QueuedView[]> {
  const queue: QueuedView[] = []
  for (const urgency of URGENCIES) {
    const next = await db
      .selectFrom('hosts')
      .select('queued_at')
      .where('priority', '=', urgencyRank(urgency))
      .where('queue_rank', 'is not', null)
      .orderBy('queue_rank')
      .limit(1)
      .executeTakeFirst()
    const since = next?.queued_at ?? undefined
    const oldest = since === undefined ? undefined : new Date(since)
    queue.push({ urgency, count: counts[urgency], oldest })
  }
  return queue
}
