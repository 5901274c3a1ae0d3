import { after, type Clock, days, type Hostname, milliseconds, minutes } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'

/** Which hosts people still use. */
export interface HostVisits {
  /**
   * Notes that somebody came, to the day. Returns those to which nobody had come since
   * `idleBefore`.
   */
  noteVisits(
    hostnames: readonly Hostname[],
    visit: { readonly at: Date; readonly idleBefore: Date },
  ): Promise<readonly string[]>
  /**
   * Makes hosts due because somebody waits for them. Not those that wait for a CA or in the queue,
   * and none that was looked at just now: visitors must not set the pace.
   */
  wakeVisited(hostnames: readonly string[]): Promise<void>
}

/** Precise enough for months. */
const VISITS_NOTED_EVERY = days(1)
/** Names in one statement: both engines take a few thousand. */
const BATCH = 500
const LOOKED_AT_LATELY = minutes(10)

export function createHostVisits({
  store,
  clock,
}: {
  readonly store: Store
  readonly clock: Clock
}): HostVisits {
  return {
    noteVisits: async (hostnames, { at, idleBefore }) => {
      const idle: string[] = []
      const notedBefore = after(at, milliseconds(-VISITS_NOTED_EVERY)).getTime()
      for (const names of batches(hostnames)) {
        const rows = await store.db
          .selectFrom('hosts')
          .select(['hostname', 'visited_at', 'created_at'])
          .where('hostname', 'in', names)
          .where((eb) => eb.or([eb('visited_at', 'is', null), eb('visited_at', '<=', notedBefore)]))
          .execute()
        if (rows.length === 0) continue
        await store.db
          .updateTable('hosts')
          .set({ visited_at: at.getTime() })
          .where(
            'hostname',
            'in',
            rows.map(({ hostname }) => hostname),
          )
          .execute()
        const wasIdle = rows.filter(
          (row) => (row.visited_at ?? row.created_at) <= idleBefore.getTime(),
        )
        idle.push(...wasIdle.map(({ hostname }) => hostname))
      }
      return idle
    },
    wakeVisited: async (hostnames) => {
      const now = clock.now()
      const lookedBefore = after(now, milliseconds(-LOOKED_AT_LATELY)).getTime()
      for (const names of batches(hostnames)) {
        await store.db
          .updateTable('hosts')
          .set({ next_attempt_at: now.getTime() })
          .where('hostname', 'in', names)
          .where('next_attempt_at', '>', now.getTime())
          .where('queue_rank', 'is', null)
          .where((eb) =>
            eb.and([
              eb.or([eb('looked_at', 'is', null), eb('looked_at', '<', lookedBefore)]),
              eb.or([eb('reason_code', 'is', null), eb('reason_code', 'not like', 'ca/%')]),
            ]),
          )
          .execute()
      }
    },
  }
}

function batches(names: readonly string[]): readonly (readonly string[])[] {
  const count = Math.ceil(names.length / BATCH)
  return Array.from({ length: count }, (_, index) =>
    names.slice(index * BATCH, (index + 1) * BATCH),
  )
}
