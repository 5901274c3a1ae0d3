import type { Random } from '../../src/kernel/index.ts'
import { DAY_MS, HOUR_MS, type Scenario } from './scenario.ts'

/** How an account comes: all at once, or over the weeks, and how big it is. */
export const ACCOUNT_SIZES = ['tiny', 'small', 'large', 'giant', 'bulk'] as const

export type AccountSize = (typeof ACCOUNT_SIZES)[number]

/** What can be seen of a host's DNS: we look from one place, a CA from several. */
export type DnsSight = 'right' | 'wrong-for-ca' | 'wrong'

/** The hosts, numbered from 0, and what will become of each. Nothing of it is Postern's to know. */
export interface Population {
  readonly hosts: number
  readonly domains: number
  readonly accounts: readonly { readonly size: AccountSize; readonly hosts: number }[]
  arrivesMs(host: number): number
  accountOf(host: number): number
  /** The registered domain, by number. */
  domainOf(host: number): number
  dnsAt(host: number, nowMs: number): DnsSight
  /** When DNS changes next after `nowMs`; infinite: never. */
  dnsChangesMs(host: number, nowMs: number): number
  /** Was DNS right in all of this span? */
  isRightThroughout(host: number, fromMs: number, toMs: number): boolean
  /** When somebody last opened a link. */
  visitedAt(host: number, now: Date): Date
}

const NEVER = Number.POSITIVE_INFINITY

/** Of all hosts. The rest are in accounts of 5 hosts: one hosting customer each. */
const SHARES = { bulk: 0.1, giant: 0.3, large: 0.25, small: 0.25 } as const
const SMALL_HOSTS = 200
const TINY_HOSTS = 5
const LARGE_ACCOUNTS = 5

/** Most customers have one tracking name, some three, and a few have more than a CA likes. */
const CROWDED_SHARE = 0.003
const CROWDED_HOSTS = 120
const FAMILY_SHARE = 0.05
const FAMILY_HOSTS = 3

const BROKEN_SHARE = 0.01
/** Of the broken: what only the CA's other vantage points can see. */
const BROKEN_FOR_CA_SHARE = 0.02
const MENDED_SHARE = 0.5
const MENDED_WITHIN_MS = 60 * DAY_MS
const LEAVING_SHARE = 0.05
const RETURNING_SHARE = 0.2
const AWAY_MS = 120 * DAY_MS
const QUIET_SHARE = 0.2

const HAS_FATE = 1
const TURNS_QUIET = 2

export function createPopulation(hosts: number, scenario: Scenario, random: Random): Population {
  const { accounts, ...drawn } = drawArrivals(hosts, scenario, random)
  const { domains, ...drawnDomains } = drawDomains(hosts, random)
  // Numbered as they come: who comes together is renewed together, and lies together in memory.
  const order = Uint32Array.from(drawn.arrivesMs.keys()).sort(
    (one, other) => (drawn.arrivesMs[one] ?? 0) - (drawn.arrivesMs[other] ?? 0) || one - other,
  )
  const arrivesMs = Float64Array.from(order, (host) => drawn.arrivesMs[host] ?? 0)
  const accountOf = Int32Array.from(order, (host) => drawn.accountOf[host] ?? 0)
  const domainOf = Int32Array.from(order, (host) => drawnDomains.domainOf[host] ?? 0)
  const fates = drawFates(arrivesMs, scenario, random)
  const quietFromMs = drawQuiet(arrivesMs, scenario, random)

  // Most hosts are in neither map: a byte tells, and lies next to those of its neighbours.
  const marks = new Uint8Array(hosts)
  for (const host of fates.keys()) marks[host] = HAS_FATE
  for (const host of quietFromMs.keys()) marks[host] = (marks[host] ?? 0) | TURNS_QUIET
  const fateOf = (host: number): Fate | undefined =>
    ((marks[host] ?? 0) & HAS_FATE) === 0 ? undefined : fates.get(host)

  const dnsAt = (host: number, nowMs: number): DnsSight => {
    const fate = fateOf(host)
    if (!fate) return 'right'
    if (nowMs < fate.wrongUntilMs) return fate.isWrongForCaOnly ? 'wrong-for-ca' : 'wrong'
    return nowMs >= fate.leavesMs && nowMs < fate.returnsMs ? 'wrong' : 'right'
  }
  const dnsChangesMs = (host: number, nowMs: number): number => {
    const fate = fateOf(host)
    if (!fate) return NEVER
    for (const at of [fate.wrongUntilMs, fate.leavesMs, fate.returnsMs]) if (at > nowMs) return at
    return NEVER
  }
  return {
    ...{ hosts, domains, accounts },
    arrivesMs: (host) => arrivesMs[host] ?? 0,
    accountOf: (host) => accountOf[host] ?? 0,
    domainOf: (host) => domainOf[host] ?? 0,
    dnsAt,
    dnsChangesMs,
    isRightThroughout: (host, fromMs, toMs) =>
      dnsAt(host, fromMs) === 'right' && dnsChangesMs(host, fromMs) >= toMs,
    visitedAt: (host, now) => {
      if (((marks[host] ?? 0) & TURNS_QUIET) === 0) return now
      const quietMs = quietFromMs.get(host)
      return quietMs === undefined || quietMs > now.getTime() ? now : new Date(quietMs)
    },
  }
}

/** Of those few whose DNS is not right all the time. */
function drawFates(
  arrivesMs: Float64Array,
  scenario: Scenario,
  random: Random,
): ReadonlyMap<number, Fate> {
  const fates = new Map<number, Fate>()
  for (let host = 0; host < arrivesMs.length; host += 1) {
    const fate = drawFate(arrivesMs[host] ?? 0, scenario, random)
    if (fate !== HAPPY) fates.set(host, fate)
  }
  return fates
}

interface Fate {
  readonly wrongUntilMs: number
  readonly isWrongForCaOnly: boolean
  readonly leavesMs: number
  readonly returnsMs: number
}

const HAPPY: Fate = { wrongUntilMs: 0, isWrongForCaOnly: false, leavesMs: NEVER, returnsMs: NEVER }

function drawFate(arrivesMs: number, { happenings, ...dates }: Scenario, random: Random): Fate {
  // All is drawn whether it happens or not: one happening less must not change the others.
  const [broken, leaving] = [random.fraction(), random.fraction()]
  const [share, span, back] = [random.fraction(), random.fraction(), random.fraction()]
  if (broken < BROKEN_SHARE) {
    if (!happenings.has('broken-dns')) return HAPPY
    const wrongUntilMs = share < MENDED_SHARE ? arrivesMs + span * MENDED_WITHIN_MS : NEVER
    const isWrongForCaOnly = broken < BROKEN_SHARE * BROKEN_FOR_CA_SHARE
    return { ...HAPPY, wrongUntilMs, isWrongForCaOnly }
  }
  if (leaving >= LEAVING_SHARE || !happenings.has('leavers')) return HAPPY
  const leavesMs = dates.leavingFromMs + span * (dates.endMs - dates.leavingFromMs)
  return {
    ...HAPPY,
    leavesMs,
    returnsMs: share < RETURNING_SHARE ? leavesMs + back * AWAY_MS : NEVER,
  }
}

/** Hosts whose mails are no longer opened, from some day on. */
function drawQuiet(
  arrivesMs: Float64Array,
  { happenings, endMs, leavingFromMs }: Scenario,
  random: Random,
): ReadonlyMap<number, number> {
  const quietFromMs = new Map<number, number>()
  for (let host = 0; host < arrivesMs.length; host += 1) {
    const quiet = random.fraction()
    if (quiet >= QUIET_SHARE || !happenings.has('quiet-hosts')) continue
    const quietForMs = (quiet / QUIET_SHARE) * (endMs - leavingFromMs)
    quietFromMs.set(host, (arrivesMs[host] ?? 0) + quietForMs)
  }
  return quietFromMs
}

interface Arrivals {
  readonly accounts: readonly { readonly size: AccountSize; readonly hosts: number }[]
  readonly accountOf: Int32Array
  readonly arrivesMs: Float64Array
}

function drawArrivals(
  hosts: number,
  { startMs, arrivalsEndMs, bulkAtMs, happenings }: Scenario,
  random: Random,
): Arrivals {
  const accountOf = new Int32Array(hosts)
  const arrivesMs = new Float64Array(hosts)
  const accounts: { size: AccountSize; hosts: number }[] = []
  let next = 0
  /** One account with so many of the hosts that are left, which come within a span. */
  const arrive = (size: AccountSize, count: number, [fromMs, toMs]: readonly [number, number]) => {
    const last = Math.min(hosts, next + count)
    if (last === next) return
    for (let host = next; host < last; host += 1) {
      accountOf[host] = accounts.length
      arrivesMs[host] = fromMs + random.fraction() * (toMs - fromMs)
    }
    accounts.push({ size, hosts: last - next })
    next = last
  }
  const weeks = [startMs, arrivalsEndMs] as const
  const anHour = (fromMs: number) => [fromMs, fromMs + HOUR_MS] as const
  const anyHour = () => anHour(startMs + random.fraction() * (arrivalsEndMs - startMs - HOUR_MS))

  const bulkSpan = happenings.has('bulk-arrival') ? anHour(bulkAtMs) : weeks
  arrive('bulk', Math.round(hosts * SHARES.bulk), bulkSpan)
  arrive('giant', Math.round(hosts * SHARES.giant), weeks)
  for (let account = 0; account < LARGE_ACCOUNTS; account += 1) {
    arrive('large', Math.round((hosts * SHARES.large) / LARGE_ACCOUNTS), weeks)
  }
  const smallEnd = next + Math.round(hosts * SHARES.small)
  while (next < smallEnd) arrive('small', Math.min(SMALL_HOSTS, smallEnd - next), anyHour())
  while (next < hosts) arrive('tiny', TINY_HOSTS, anyHour())
  return { accounts, accountOf, arrivesMs }
}

function drawDomains(
  hosts: number,
  random: Random,
): { readonly domainOf: Int32Array; readonly domains: number } {
  const domainOf = new Int32Array(hosts)
  let domain = 0
  for (let host = 0; host < hosts; domain += 1) {
    const last = Math.min(hosts, host + familySize(random.fraction()))
    for (; host < last; host += 1) domainOf[host] = domain
  }
  return { domainOf, domains: domain }
}

/** Drawn for each domain, so that the given shares of all hosts come out. */
function familySize(fraction: number): number {
  if (fraction < CROWDED_SHARE / CROWDED_HOSTS) return CROWDED_HOSTS
  return fraction < FAMILY_SHARE / FAMILY_HOSTS ? FAMILY_HOSTS : 1
}
