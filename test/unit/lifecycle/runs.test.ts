import { describe, expect, it } from 'vitest'
import type { ClaimedHost } from '../../../src/hosts/index.ts'
import { newHost } from '../../../src/hosts/index.ts'
import { days, type Hostname, hours, parseHostname } from '../../../src/kernel/index.ts'
import { createClockWitness } from '../../../src/lifecycle/clock-witness.ts'
import type { LifecycleDeps } from '../../../src/lifecycle/ports.ts'
import { createQueuePace } from '../../../src/lifecycle/queue-pace.ts'
import { createRuns } from '../../../src/lifecycle/runs.ts'
import { createSlots } from '../../../src/lifecycle/slots.ts'
import type { AttendSettings } from '../../../src/lifecycle/work.ts'
import { createLifecycleRecord, createMetrics, openLog } from '../../../src/telemetry/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const HOST = parseHostname('email.customer.test') as Hostname
const SETTINGS: AttendSettings = {
  look: { edgeName: HOST, httpPorts: [], httpsPorts: [], termsAgreed: true },
  rhythm: { lookEvery: days(1), idleAfter: days(180), idlePolicy: 'last' },
  rules: { soak: hours(1), idleAfter: days(180), idlePolicy: 'last' },
}

describe('a host that is leased anew while a run that lost it is still under way', () => {
  const start = () => {
    const clock = createFakeClock()
    const reads: PromiseWithResolvers<undefined>[] = []
    const record = createLifecycleRecord({
      log: openLog({ level: 'silent', pretty: false }),
      metrics: createMetrics(),
    })
    const read = () => {
      const reading = Promise.withResolvers<undefined>()
      reads.push(reading)
      return reading.promise
    }
    // The first thing a run does; what comes after is not reached here.
    const deps = {
      ...{ clock, record, hosts: { release: async () => undefined }, certs: { current: read } },
    } as unknown as LifecycleDeps
    const issuer = { clockSkew: () => undefined, checkHealth: async () => [] }
    const witness = createClockWitness({ issuer, clock })
    const runs = createRuns(deps, {
      ...{ slots: createSlots(1), queuePace: createQueuePace({ clock }) },
      ...{ witness, onQueuedAgain: () => undefined, onEnd: () => undefined },
    })
    const host = newHost(HOST, 'customer.test', clock.now())
    const claimed = (fence: number): ClaimedHost => ({ host, fence, via: 'due' })
    return { runs, reads, claimed }
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))

  it('waits for its end, and is the one that is found', async () => {
    const { runs, reads, claimed } = start()
    const first = runs.start(claimed(1), SETTINGS)
    await turn()
    const second = runs.start(claimed(2), SETTINGS)
    await turn()
    expect(reads).toHaveLength(1)
    reads[0]?.reject(new Error('stopped'))
    await first.ended
    await turn()
    expect(reads).toHaveLength(2)
    expect(runs.find(HOST)).toBe(second)
    expect(runs.count).toBe(1)
    expect(runs.looking).toBe(1)
    second.stop()
    reads[1]?.reject(new Error('stopped'))
    await second.ended
    expect(runs.count).toBe(0)
  })
})
