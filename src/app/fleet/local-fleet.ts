import type { EdgeFleet } from './edge-fleet.ts'
import type { EdgeMember } from './edge-member.ts'
import type { SelfTestTroubles } from './self-test-troubles.ts'
import type { ShortageBook } from './shortages.ts'

/** A fleet of one, in this process (`edge.workers = 0`): for tests and small machines. */
export function createLocalFleet(
  member: EdgeMember,
  shortages: Pick<ShortageBook, 'current'>,
): EdgeFleet {
  let ending: PromiseLike<void> | undefined
  let found: SelfTestTroubles = { troubles: [], remarks: [] }
  member.startSelfTests(({ troubles, remarks }) => {
    found = { troubles: [...found.troubles, ...troubles], remarks: [...found.remarks, ...remarks] }
  })
  return {
    bound: member.bound,
    count: () => ({ serving: 1, wanted: 1 }),
    hostChanged: (hostname) => member.hostChanged(hostname),
    resync: () => member.resync(),
    confirm: (hostname, serial) => member.confirm(hostname, serial),
    rehearse: (hostname, certificateId) => member.rehearse(hostname, certificateId),
    visits: async () => member.takeVisits(),
    // Its store is the server's: whoever judges that one has judged this one.
    troubles: () => found.troubles,
    remarks: () => found.remarks,
    shortages: shortages.current,
    // This process's numbers are its supervisor's: they are counted there.
    metrics: async () => [],
    useTicketKeys: (keys) => member.useTicketKeys(keys),
    // The vault of this process is the fleet's: whoever changes its ring has changed it here.
    useKeyRing: async () => undefined,
    setLogLevel: () => undefined,
    [Symbol.asyncDispose]: () => {
      ending ??= member[Symbol.asyncDispose]()
      return ending
    },
  }
}
