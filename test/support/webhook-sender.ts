/** A program to kill: delivers what waits for webhooks, on loopback. */
import { createWebhooks } from '../../src/events/index.ts'
import { systemClock, systemRandom } from '../../src/kernel/index.ts'
import { createGuardedFetch, createResolver } from '../../src/net/index.ts'
import { netOptions } from '../../src/net/options.ts'
import { openStore } from '../../src/store/index.ts'
import {
  createEventsRecord,
  createMetrics,
  createStoreRecord,
  openLog,
} from '../../src/telemetry/index.ts'
import { aVault } from './vaults.ts'

const [url = '', aheadMs = '0'] = process.argv.slice(2)
// A node that comes long after the one that was killed.
const clock = {
  ...systemClock,
  now: () => new Date(systemClock.now().getTime() + Number(aheadMs)),
}
const log = openLog({ level: 'warn', pretty: false })
const telemetry = { log, metrics: createMetrics() }
const deps = { clock, record: createStoreRecord(telemetry), role: 'server' } as const
const store = await openStore({ url }, deps)
const record = createEventsRecord(telemetry)
const options = netOptions.parse({ allowPrivate: '127.0.0.0/8', allowHttp: true })
const fetch = createGuardedFetch({ resolver: createResolver(options) }, options)
createWebhooks({ store, vault: aVault(), fetch, clock, random: systemRandom, record }).start()
