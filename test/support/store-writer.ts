/** A program to kill: writes hits one by one and prints the number of each once it is written. */
import { systemClock } from '../../src/kernel/index.ts'
import { openStore } from '../../src/store/index.ts'
import { createMetrics, createStoreRecord, openLog } from '../../src/telemetry/index.ts'
import { aHitRow } from './store-rows.ts'

const [url = '', role = 'server', name = 'writer'] = process.argv.slice(2)
const store = await openStore(
  { url },
  {
    clock: systemClock,
    record: createStoreRecord({
      log: openLog({ level: 'warn', pretty: false }),
      metrics: createMetrics(),
    }),
    role: role === 'worker' ? 'worker' : 'server',
  },
)
for (let count = 0; ; count += 1) {
  const hit = aHitRow({ id: `${name}-${count}` })
  // Both ways to write take turns.
  if (count % 2 === 0) await store.hot.appendHits([hit])
  else await store.transaction((trx) => trx.insertInto('hits').values(hit).execute())
  process.stdout.write(`${hit.id}\n`)
}
