import { describe, expect, it } from 'vitest'
import { simulate } from '../../../bench/simulate/engine.ts'
import { type SimulationFigures, toFigures } from '../../../bench/simulate/figures.ts'
import { readCommandLine, type SimulationOptions } from '../../../bench/simulate/options.ts'
import { drawPicture } from '../../../bench/simulate/picture.ts'
import { printReport, toReport } from '../../../bench/simulate/report.ts'
import { HAPPENINGS } from '../../../bench/simulate/scenario.ts'
import { bucketShape } from '../../../bench/simulate/token-buckets.ts'
import { hours } from '../../../src/kernel/index.ts'

const HOSTS = 2_000
const options: SimulationOptions = {
  ...{ hosts: HOSTS, days: 120, seed: 1, happenings: new Set(HAPPENINGS), failover: 'none' },
  // So few that a tenth of the fleet, which comes within an hour, has to wait.
  ordersPerAccount: bucketShape(60, hours(3)),
}
const run = (different: Partial<SimulationOptions> = {}): SimulationFigures =>
  toFigures(simulate({ ...options, ...different }))

describe('a fleet of 2,000 hosts, through all that happens', () => {
  const result = simulate(options)
  const figures = toFigures(result)

  it('loses no certificate that could have been renewed, and never meets a limit', () => {
    expect(figures.expired.avoidable).toBe(0)
    expect(figures.rateLimited).toEqual({})
    expect(figures.aims.filter(({ isMet }) => !isMet)).toEqual([])
  })

  it('orders once for each certificate', () => {
    const { perCertificate, resumedAfterRestart, putToUse } = figures.orders
    expect(perCertificate).toBeLessThanOrEqual(1.01)
    expect(resumedAfterRestart).toBeGreaterThan(0)
    expect(putToUse).toBeGreaterThan(2 * HOSTS)
  })

  it('has lived through it: outages, leavers, a mass replacement', () => {
    expect(figures.orders.foundCaDown).toBeGreaterThan(0)
    expect(figures.expired['dns-wrong']).toBeGreaterThan(0)
    expect(figures.replaceNow?.certificates).toBeGreaterThan(HOSTS / 20)
    expect(figures.phases.map(({ title }) => title)).toContain('90 → 45 days')
  })

  it('serves small accounts while a big one brings a tenth of all hosts at once', () => {
    const { tiny, bulk } = figures.firstCertificates
    expect(tiny?.p99).toBeLessThan(bulk?.median ?? 0)
  })

  it('is told in words, as JSON and as a picture', () => {
    const report = toReport(options, figures, { wallSeconds: 0, cpuSeconds: 0, peakRssMiB: 0 })
    expect(printReport(report)).toContain('certificates expired while avoidable')
    const { meter, scenario } = result
    const picture = drawPicture({ hours: meter.hours, scenario, title: 'a <fleet>' })
    expect(picture).toMatch(/^<svg .*a &lt;fleet&gt;.*CA down for 25 days.*<\/svg>\n$/s)
    expect(picture).not.toContain('NaN')
  })

  it('is the same again with the same seed, and another with another', () => {
    const smaller = { hosts: 300 }
    expect(JSON.stringify(run(smaller))).toBe(JSON.stringify(run(smaller)))
    expect(JSON.stringify(run(smaller))).not.toBe(JSON.stringify(run({ ...smaller, seed: 2 })))
  })
})

describe('the simulation', () => {
  it('goes to the second CA for what cannot wait for the first', () => {
    const { orders } = run({ failover: 'second-ca' })
    expect(orders.atSecondCa).toBeGreaterThan(0)
  })

  it('reads its command line', () => {
    const read = readCommandLine(['--hosts', '500', '--scenario', 'leavers,restarts', '--failover'])
    expect(read).toMatchObject({
      ...{ hosts: 500, days: 400, failover: 'second-ca' },
      happenings: new Set(['leavers', 'restarts']),
      ordersPerAccount: { capacity: 300 },
    })
    const granted = readCommandLine(['--orders-per-account', '5000/3h'])
    expect(granted).toHaveProperty('ordersPerAccount.capacity', 5_000)
    expect(readCommandLine(['--days', '10'])).toContain('--days')
    expect(readCommandLine(['--scenario', 'war'])).toContain('bulk-arrival')
    expect(readCommandLine(['--hosts', 'many'])).toContain('--hosts')
  })
})
