import { parseArgs } from 'node:util'
import { HAPPENINGS, type Happening } from './scenario.ts'
import { type BucketShape, bucketShape } from './token-buckets.ts'

export interface SimulationOptions {
  readonly hosts: number
  readonly days: number
  readonly seed: number
  /** The override that the preferred CA grants to an account with so many hosts. */
  readonly ordersPerAccount: BucketShape
  readonly happenings: ReadonlySet<Happening>
  /** Is there a second CA to go to? */
  readonly failover: 'none' | 'second-ca'
}

export interface CommandLine extends SimulationOptions {
  readonly json: boolean
  readonly svgFile: string | undefined
}

export const USAGE = `npm run simulate -- [options]
  --hosts N                 how many hosts arrive (default 1000000)
  --days N                  how long to run (default 400, at least 60)
  --seed N                  the same seed gives the same result (default 1)
  --orders-per-account N/3h the override that Let's Encrypt granted (default: 0.5 % of the hosts in
                            3 hours, but never less than the 300 that everybody has)
  --failover                a second CA may be used
  --scenario A,B            only these: ${HAPPENINGS.join(', ')};
                            "all" (the default) or "calm" (none)
  --svg FILE                draws orders per hour, budget left and queue
  --json                    figures for programs
`

const HOSTS_DEFAULT = 1_000_000
const DAYS_DEFAULT = 400
const DAYS_MIN = 60
const HOUR_MS = 3_600_000
/** What everybody gets, and the share of the fleet that an override is asked for. */
const ORDERS_IN_3H_MIN = 300
const ORDERS_IN_3H_SHARE = 0.005

/** Reads the command line; a string says what is wrong with it. */
export function readCommandLine(args: readonly string[]): CommandLine | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ hosts: { type: 'string' }, days: { type: 'string' }, seed: { type: 'string' } },
      ...{ svg: { type: 'string' }, scenario: { type: 'string' }, json: { type: 'boolean' } },
      ...{ failover: { type: 'boolean' }, 'orders-per-account': { type: 'string' } },
    },
  })
  const hosts = wholeNumber(values.hosts, HOSTS_DEFAULT)
  const days = wholeNumber(values.days, DAYS_DEFAULT)
  const seed = wholeNumber(values.seed, 1)
  if (!hosts) return '--hosts takes a whole number'
  if (!days || days < DAYS_MIN) return `--days takes a whole number from ${DAYS_MIN} on`
  if (seed === undefined) return '--seed takes a whole number'
  const ordersPerAccount = readOverride(values['orders-per-account'], hosts)
  if (!ordersPerAccount) return '--orders-per-account takes a limit like 5000/3h'
  const happenings = readHappenings(values.scenario)
  if (!happenings) return `--scenario takes all, calm or some of ${HAPPENINGS.join(', ')}`
  return {
    ...{ hosts, days, seed, ordersPerAccount, happenings },
    failover: values.failover === true ? 'second-ca' : 'none',
    json: values.json === true,
    svgFile: values.svg,
  }
}

function wholeNumber(text: string | undefined, otherwise: number): number | undefined {
  if (text === undefined) return otherwise
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

function defaultOverride(hosts: number): BucketShape {
  const orders = Math.max(ORDERS_IN_3H_MIN, Math.round(hosts * ORDERS_IN_3H_SHARE))
  return bucketShape(orders, 3 * HOUR_MS)
}

function readOverride(text: string | undefined, hosts: number): BucketShape | undefined {
  if (text === undefined) return defaultOverride(hosts)
  const match = /^(\d{1,9})(?:\/3h)?$/.exec(text)
  return match && Number(match[1]) > 0 ? bucketShape(Number(match[1]), 3 * HOUR_MS) : undefined
}

function readHappenings(text: string | undefined): ReadonlySet<Happening> | undefined {
  if (text === undefined || text === 'all') return new Set(HAPPENINGS)
  if (text === 'calm') return new Set()
  const names = text.split(',').map((name) => name.trim())
  const known = HAPPENINGS.filter((happening) => names.includes(happening))
  return known.length === names.length ? new Set(known) : undefined
}
