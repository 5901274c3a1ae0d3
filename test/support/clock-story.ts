import { setTimeout as pause } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { openssl } from './clients.ts'
import { openFakeTime } from './fake-time.ts'
import { eventually, startPostern } from './postern.ts'
import { startTestAuthority } from './test-authority.ts'

export interface ClockStory {
  readonly library: string
  readonly hosts: number
  /** How far the clock jumps, one after the other, and back each time. */
  readonly steps: readonly string[]
  /** How long each wrong time lasts. */
  readonly wrongForMs: number
}

/**
 * Lets the machine's clock jump under the running program and back, and demands each time: the CA
 * hears of no order, visitors are served as before, and once the time is right all is well again by
 * itself.
 */
export async function tellClockStory({
  library,
  hosts,
  steps,
  wrongForMs,
}: ClockStory): Promise<void> {
  await using running = new AsyncDisposableStack()
  const time = running.use(await openFakeTime(library))
  const authority = running.use(await startTestAuthority())
  const settings = { ...authority.settings, 'edge.workers': 1 }
  const postern = running.use(await startPostern({ settings, env: time.env }))
  const names = Array.from({ length: hosts }, (_, index) => `clock-${index}.customer.test`)
  for (const host of names) {
    await authority.dns.setCname(host, authority.edgeName)
    await postern.api('/hosts', { method: 'POST', body: { host } })
  }
  const untilWell = async () => {
    for (const host of names) {
      await eventually(
        async () => (await postern.api(`/hosts/${host}`)).body,
        ({ state, httpsSafe }) => state === 'active' && httpsSafe,
        WELL_MS_MAX,
      )
    }
  }
  const orders = () => countOrders(`${postern.directory}/postern.sqlite`)
  const served = async () => {
    const shown = await openssl(postern.httpsPort, names[0], ['-CAfile', authority.rootsFile])
    expect(shown.stdout).toContain('Verify return code: 0 (ok)')
  }
  await untilWell()
  expect(orders()).toBe(hosts)

  for (const step of steps) {
    await time.stepTo(step)
    await pause(wrongForMs)
    await served()
    await time.stepTo('+0')
    await untilWell()
    expect({ step, orders: orders() }).toEqual({ step, orders: hosts })
  }
  const { body } = await postern.api('/acme')
  expect(body.openOrders).toEqual([])
}

/** Housekeeping comes by every minute. */
const WELL_MS_MAX = 150_000

function countOrders(file: string): number {
  const database = new Database(file, { readonly: true })
  try {
    const row = database.prepare('select count(*) as count from acme_orders').get()
    return Number((row as { count: number }).count)
  } finally {
    database.close()
  }
}
