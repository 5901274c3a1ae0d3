/** A program to kill: writes hits without a pause and prints the id of each once it is written. */
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
const acknowledge = (id: string): boolean => process.stdout.write(`${id}\n`)
const append = async (id: string): Promise<void> => {
  await store.hot.appendHits([aHitRow({ id })])
  acknowledge(id)
}
const insert = async (id: string): Promise<void> => {
  await store.transaction((trx) => trx.insertInto('hits').values(aHitRow({ id })).execute())
  acknowledge(id)
}
for (let count = 0; ; count += 1) {
  const id = `${name}-${count}`
  // Every way to write, alone and together with others.
  await append(id)
  await Promise.all([insert(`${id}a`), insert(`${id}b`), append(`${id}c`), insert(`${id}d`)])
}
