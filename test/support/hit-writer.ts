/** A program to kill: journals hits without a pause and prints the id of each once it is durable. */
import { newId, systemClock, systemRandom } from '../../src/kernel/index.ts'
import { createMetrics, createTrackingRecord, openLog } from '../../src/telemetry/index.ts'
import { createHitJournal, createHitRecorder } from '../../src/tracking/index.ts'

const [directory = ''] = process.argv.slice(2)
const outside = { clock: systemClock, random: systemRandom }
const metrics = createMetrics()
const record = createTrackingRecord({ log: openLog({ level: 'silent', pretty: false }), metrics })
const journal = createHitJournal({ ...outside, record }, { directory, kind: 'hits' })
let early = 0
const hits = createHitRecorder({
  journal,
  clock: systemClock,
  record: {
    ...record,
    hitAnsweredEarly: () => {
      early += 1
    },
  },
})

const click = async (): Promise<void> => {
  const id = newId(outside)
  const before = early
  await hits.add({
    ...{ id, at: systemClock.now(), kind: 'click', hostname: 'email.customer.test' },
    ...{ reference: 'r', target: `https://shop.test/${'x'.repeat(200)}` },
    ...{ address: '192.0.2.1', userAgent: 'Mail' },
  })
  // Answered before it was durable: nothing was promised of that one.
  if (early === before) process.stdout.write(`${id}\n`)
}
const visitor = async (): Promise<never> => {
  for (;;) await click()
}
await Promise.all(Array.from({ length: 50 }, visitor))
