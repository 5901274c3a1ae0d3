import {
  type CaLimits,
  type FleetSize,
  findCertificateAuthority,
  fleetOf,
} from '../../src/acme/index.ts'
import { milliseconds } from '../../src/kernel/index.ts'
import { type Attending, createAttending } from './attending.ts'
import { type Calendar, createCalendar } from './calendar.ts'
import { type CertificateBook, createCertificateBook } from './certificate-book.ts'
import type { SimulatedCa } from './choosing.ts'
import { judgeEnd } from './endings.ts'
import { createFleet, type Fleet } from './fleet.ts'
import { createIncident, type Incident } from './incident.ts'
import { createIssuing, type SimulatedIssuer, TERM } from './issuing.ts'
import { createLedgerBook } from './ledger-book.ts'
import { letsencryptLimits, strictLimits } from './letsencrypt-limits.ts'
import { createMeter, type Meter } from './meter.ts'
import { createModelledCa, type ModelledCa } from './modelled-ca.ts'
import type { SimulationOptions } from './options.ts'
import { createPopulation, type Population } from './population.ts'
import { createRestarts } from './restarts.ts'
import { createRounds, type Rounds } from './rounds.ts'
import { planScenario, type Scenario } from './scenario.ts'
import { createSeededRandom } from './seeded-random.ts'
import type { BucketShape } from './token-buckets.ts'
import { createWaitingLine, type WaitingLine } from './waiting-line.ts'

/** All that takes part in a run, joined. */
export interface World {
  readonly scenario: Scenario
  readonly population: Population
  readonly fleet: Fleet
  readonly book: CertificateBook
  readonly line: WaitingLine
  readonly fleetSize: FleetMeasure
  readonly issuer: SimulatedIssuer
  readonly attending: Attending
  readonly rounds: Rounds
  readonly incident: Incident
  readonly meter: Meter
  readonly preferredCa: ModelledCa
  /** Hosts that are not there yet, by when they are added. */
  readonly arrivals: Calendar
  readonly due: Calendar
  readonly endings: Calendar
  readonly questions: Calendar
}

export function createWorld(options: SimulationOptions): World {
  const { hosts, days, seed, happenings } = options
  const fate = (name: string) => createSeededRandom(seed, `world/${name}`)
  const random = createSeededRandom(seed, 'postern')
  const scenario = planScenario(days, happenings)
  const population = createPopulation(hosts, scenario, fate('population'))
  const meter = createMeter(scenario)
  const fleet = createFleet(population)
  const book = createCertificateBook(hosts)
  const incident = createIncident(scenario, hosts, fate('incident'))
  const { accounts, accountOf } = population
  const line = createWaitingLine({ hosts, accounts: accounts.length, accountOf })
  const restarts = createRestarts(scenario, { fate: fate('restarts'), meter })
  const fleetSize = createFleetSize(book)
  const cas = createCas(options, { scenario, population, fleetSize, incident })
  const issuer = createIssuing({ cas, population, meter, random, isLost: restarts.isLost })
  const calendar = () => createCalendar(hosts, scenario)
  const [arrivals, due, endings, questions] = [calendar(), calendar(), calendar(), calendar()]
  for (let host = 0; host < hosts; host += 1) arrivals.put(host, population.arrivesMs(host))
  const agenda = {
    due: due.put,
    never: due.remove,
    ends: endings.put,
    asks: questions.put,
  }
  const outages = options.failover === 'none' ? scenario.outages : []
  const attending = createAttending({
    ...{ population, fleet, book, issuer, line, agenda, meter, random },
    judgeEnd: (host, certificate) => judgeEnd(host, certificate, { population, outages }),
    onServed: (host, before, nowMs) => {
      if (!before) noteFirst(host, nowMs, { population, meter })
      else if (population.isRightThroughout(host, incident.atMs, nowMs)) {
        incident.noteReplaced(host, before, { meter, nowMs })
      }
    },
  })
  const rounds = createRounds({ line, issuer, attending })
  const [preferred] = cas
  if (!preferred) throw new Error('There is always a CA')
  return {
    ...{
      scenario,
      population,
      fleet,
      book,
      line,
      fleetSize,
      issuer,
      attending,
      rounds,
      incident,
      meter,
    },
    ...{ preferredCa: preferred.ca, arrivals, due, endings, questions },
  }
}

/** The wait of a host that could have had a certificate from the first day. */
function noteFirst(
  host: number,
  nowMs: number,
  { population, meter }: Pick<World, 'population' | 'meter'>,
): void {
  const arrivedMs = population.arrivesMs(host)
  const account = population.accounts[population.accountOf(host)]
  if (!account || !population.isRightThroughout(host, arrivedMs, nowMs)) return
  meter.firstWaits[account.size].push(nowMs - arrivedMs)
}

type Surroundings = Pick<World, 'scenario' | 'population' | 'fleetSize' | 'incident'>

function createCas(
  { hosts, ordersPerAccount, failover }: SimulationOptions,
  { scenario, population, fleetSize, incident }: Surroundings,
): readonly SimulatedCa[] {
  const { domains, domainOf } = population
  const { lifetimeAt, outages } = scenario
  const common = { hosts, domains, domainOf, lifetimeAt }
  const fleet = fleetSize.size
  const preferred: SimulatedCa = {
    ca: createModelledCa({
      ...{ ...common, name: 'letsencrypt', outages, incident },
      limits: letsencryptLimits(ordersPerAccount),
    }),
    ledger: createLedgerBook({
      ...{ hosts, domains, fleet },
      limits: withOverride(limitsOf('letsencrypt'), ordersPerAccount),
    }),
  }
  if (failover === 'none') return [preferred]
  const second: SimulatedCa = {
    ca: createModelledCa({
      ...{ ...common, name: 'zerossl', outages: [], incident: undefined },
      limits: strictLimits(),
    }),
    ledger: createLedgerBook({ hosts, domains, fleet, limits: limitsOf('zerossl') }),
  }
  return [preferred, second]
}

/** As the server does, once an hour. */
interface FleetMeasure {
  size(): FleetSize
  measure(): void
}

function createFleetSize(book: CertificateBook): FleetMeasure {
  let size = fleetOf([], { term: TERM })
  return {
    size: () => size,
    measure: () => {
      size = fleetOf(book.byLifetime(), { term: TERM })
    },
  }
}

/** What Postern itself believes of a CA. */
function limitsOf(name: string): CaLimits {
  const authority = findCertificateAuthority(name)
  if (!authority) throw new Error(`Postern does not know ${name}`)
  return authority.limits
}

/** As `acme.limits` would. */
function withOverride(limits: CaLimits, { capacity, refillMs }: BucketShape): CaLimits {
  const granted = { capacity, per: milliseconds(capacity * refillMs) }
  return { ...limits, orders: { ...limits.orders, 'orders-per-account': granted } }
}
