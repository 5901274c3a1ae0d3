/**
 * A program to kill: gets a certificate for each host that it is given, eight at a time, and ends.
 * Arguments: store, directory, roots, hosts.
 */
import { createIssuer } from '../../src/acme/index.ts'
import { acmeOptions } from '../../src/acme/options.ts'
import { createCertificateStore } from '../../src/certs/index.ts'
import { createChallengeBook } from '../../src/challenges/index.ts'
import { bounded, parseHostname, systemClock, systemRandom } from '../../src/kernel/index.ts'
import { openStore } from '../../src/store/index.ts'
import {
  createAcmeRecord,
  createMetrics,
  createStoreRecord,
  openLog,
} from '../../src/telemetry/index.ts'
import { aVault } from './vaults.ts'

const [url = '', ca = '', roots = '', ...hosts] = process.argv.slice(2)
const telemetry = { log: openLog({ level: 'error', pretty: false }), metrics: createMetrics() }
const clock = systemClock
const random = systemRandom
const vault = aVault()
await using store = await openStore(
  { url },
  { clock, record: createStoreRecord(telemetry), role: 'server' },
)
const certs = createCertificateStore({ store, vault, clock, random })
const challenges = createChallengeBook({ store, clock })
const record = createAcmeRecord(telemetry)
const options = acmeOptions.parse({ ca, roots, agreeTerms: true })
await using issuer = createIssuer(
  { store, vault, certs, challenges, clock, random, record },
  options,
)
await bounded(hosts, 8, async (name) => {
  const hostname = parseHostname(name)
  if (!hostname) throw new Error('not a host name')
  const need = { hostname, urgency: 'first', waitingSince: clock.now() } as const
  const outcome = await issuer.issue(need, AbortSignal.timeout(60_000))
  if (outcome.kind !== 'issued') throw new Error(outcome.reason.sentence)
})
