import { type Host, type HostState, newHost } from '../../src/hosts/index.ts'
import {
  type Hostname,
  parseHostname,
  type Reason,
  type ReasonCode,
  URGENCIES,
  urgencyRank,
} from '../../src/kernel/index.ts'
import type { Population } from './population.ts'

// What Postern's store knows of the hosts: the fields that decisions read, as numbers in one array,
// so that a million fit and a step touches two lines of the processor's cache. A `Host` of the real
// type is built for each step, moved by the real state machine, and folded back.

export interface Fleet {
  /** Begins a host that has just been added. */
  add(host: number, now: Date): void
  read(host: number, now: Date): Host
  write(host: number, moved: Host): void
  stateOf(host: number): HostState
}

const STATES: readonly HostState[] = [
  ...(['waiting-for-dns', 'issuing', 'active', 'failing', 'paused', 'retired'] as const),
]

/** What the decisions distinguish; sentences are for people. */
export const REASONS = {
  wrongTarget: reason('dns/wrong-target'),
  rateLimited: reason('ca/rate-limited'),
  unavailable: reason('ca/unavailable'),
  rejected: reason('ca/rejected'),
  notReplaced: reason('certificate/expiring'),
  paused: reason('ca/paused'),
} as const

function reason(code: ReasonCode): Reason {
  return { code, sentence: '', fix: '' }
}

const NO_REASON = 0
const REASON_LIST: readonly (Reason | undefined)[] = [undefined, ...Object.values(REASONS)]
/** Stands for "none" where an instant is stored. */
const NEVER = 0

/** Where a field stands in the record of a host. */
const STATE = 0
const REASON = 1
const URGENCY = 2
const SAFE = 3
const FAILURES = 4
const NEXT = 5
const QUEUED = 6
const AWAY = 7
const LEFT = 8
const READY = 9
const FIELDS = 10

export function createFleet(population: Population): Fleet {
  const records = new Float64Array(population.hosts * FIELDS)
  const template = newHost(anyHostname(), '', new Date(0))

  const write = (host: number, moved: Host): void => {
    const at = host * FIELDS
    records[at + STATE] = STATES.indexOf(moved.state)
    records[at + REASON] = moved.reason ? REASON_LIST.indexOf(moved.reason) : NO_REASON
    records[at + URGENCY] = urgencyRank(moved.urgency)
    records[at + SAFE] = moved.httpsSafe ? 1 : 0
    records[at + FAILURES] = moved.failures
    records[at + NEXT] = moved.nextAttemptAt?.getTime() ?? NEVER
    records[at + QUEUED] = moved.queuedAt?.getTime() ?? NEVER
    records[at + AWAY] = moved.awayAt?.getTime() ?? NEVER
    records[at + LEFT] = moved.leftAt?.getTime() ?? NEVER
    records[at + READY] = moved.readyAt?.getTime() ?? NEVER
  }
  return {
    add: (host, now) => {
      write(host, { ...template, nextAttemptAt: now })
    },
    // Written out: a copy of the template takes four times as long, and is made twenty million times.
    read: (host, now) => {
      const at = host * FIELDS
      return {
        hostname: template.hostname,
        domain: template.domain,
        account: template.account,
        state: STATES[records[at + STATE] ?? 0] ?? 'retired',
        reason: REASON_LIST[records[at + REASON] ?? NO_REASON],
        checks: template.checks,
        httpsSafe: records[at + SAFE] === 1,
        failures: records[at + FAILURES] ?? 0,
        nextAttemptAt: toDate(records[at + NEXT]),
        urgency: URGENCIES[records[at + URGENCY] ?? 0] ?? 'renewal',
        queuedAt: toDate(records[at + QUEUED]),
        renewalAskedAt: undefined,
        awayAt: toDate(records[at + AWAY]),
        leftAt: toDate(records[at + LEFT]),
        ceasedAt: undefined,
        told: undefined,
        readyAt: toDate(records[at + READY]),
        lookedAt: now,
        visitedAt: population.visitedAt(host, now),
        certificateFrom: 'acme',
        takeOver: false,
        claimToken: undefined,
        // Nothing depends on it where it is known when somebody visited.
        createdAt: template.createdAt,
        updatedAt: template.updatedAt,
      }
    },
    write,
    stateOf: (host) => STATES[records[host * FIELDS + STATE] ?? 0] ?? 'retired',
  }
}

function toDate(ms: number | undefined): Date | undefined {
  return ms === undefined || ms === NEVER ? undefined : new Date(ms)
}

/** No decision reads it. */
function anyHostname(): Hostname {
  const hostname = parseHostname('email.customer.example')
  if (!hostname) throw new Error('That is a hostname')
  return hostname
}
