import { bounded } from '../src/kernel/index.ts'
import { type RunningPostern, startPostern } from '../test/support/postern.ts'
import { startTestAuthority, type TestAuthority } from '../test/support/test-authority.ts'
import { startCaddy } from './support/caddy.ts'
import { type BenchOptions, type Figure, median, quantile } from './support/figures.ts'
import { firstHandshake } from './support/handshake.ts'

/**
 * From `host add` to the first verified handshake, one at a time, beside Caddy; and many at once.
 * The CA is Pebble without its sleeps, on the same machine: what is left is the client's own time.
 */
export async function benchIssuance(options: BenchOptions): Promise<readonly Figure[]> {
  const { quick, say } = options
  say('issuance: starting Pebble, DNS and Postern')
  await using authority = await startTestAuthority()
  await using postern = await startPostern({
    settings: { ...authority.settings, 'log.level': 'warn' },
  })

  const single = await oneByOne(postern, authority, quick ? 10 : 40)
  say('issuance: many at once')
  const many = await allAtOnce(postern, authority, quick ? 100 : 500)
  say('issuance: Caddy, one at a time')
  const caddy = await caddyOneByOne(quick ? 2 : 5)

  const figures: Figure[] = [
    figure('add → verified handshake, median', median(single), 'ms', { atMost: 250 }),
    figure('add → verified handshake, p95', quantile(single, 0.95), 'ms'),
    figure(`${many.hosts} hosts at once`, many.perSecond, 'certificates/s', { atLeast: 60 }),
    figure('CA requests per certificate', many.requestsEach, '', { atMost: 8 }),
  ]
  if (caddy.length === 0) return figures
  return [
    ...figures,
    figure('Caddy: add → verified handshake, median', median(caddy), 'ms'),
    figure('ratio Postern / Caddy', median(single) / median(caddy), '×', { atMost: 0.5 }),
  ]
}

function figure(name: string, value: number, unit: string, aim?: Figure['aim']): Figure {
  return { name, value, unit, ...(aim ? { aim } : {}) }
}

async function oneByOne(
  postern: RunningPostern,
  authority: TestAuthority,
  count: number,
): Promise<readonly number[]> {
  const times: number[] = []
  for (let index = 0; index < count; index += 1) {
    const host = `one-${index}.customer.test`
    await authority.dns.setCname(host, authority.edgeName)
    const started = performance.now()
    await postern.api('/hosts', { method: 'POST', body: { host } })
    await firstHandshake(postern.httpsPort, host, authority.rootsPem, 20_000)
    times.push(performance.now() - started)
  }
  return times
}

async function allAtOnce(
  postern: RunningPostern,
  authority: TestAuthority,
  count: number,
): Promise<{ readonly hosts: number; readonly perSecond: number; readonly requestsEach: number }> {
  const hosts = Array.from({ length: count }, (_, index) => `many-${index}.customer.test`)
  await bounded(hosts, 8, (host) => authority.dns.setCname(host, authority.edgeName))
  const requestsBefore = await caRequests(postern)
  const started = performance.now()
  await bounded(hosts, 16, async (host) => {
    await postern.api('/hosts', { method: 'POST', body: { host } })
  })
  for (;;) {
    const page = await postern.api('/hosts?state=active&q=many-&limit=1000')
    if (page.body.items.length === count) break
    if (performance.now() - started > 300_000) throw new Error('Not all active after 5 minutes')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const seconds = (performance.now() - started) / 1000
  const requestsEach = ((await caRequests(postern)) - requestsBefore) / count
  return { hosts: count, perSecond: count / seconds, requestsEach }
}

async function caRequests(postern: RunningPostern): Promise<number> {
  const metrics = await (await fetch(`${postern.apiUrl}/metrics`)).text()
  const counts = metrics.matchAll(/^postern_acme_requests_total(?:\{[^}]*\})? (\d+)/gm)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** Caddy adds a host through its own API; its limiter allows 10 certificates in 10 seconds. */
async function caddyOneByOne(count: number): Promise<readonly number[]> {
  await using authority = await startTestAuthority()
  await using caddy = await startCaddy(authority)
  if (!caddy) return []
  const times: number[] = []
  for (let index = 0; index < count; index += 1) {
    const host = `caddy-${index}.customer.test`
    const started = performance.now()
    await caddy.addHost(host)
    await firstHandshake(caddy.httpsPort, host, authority.rootsPem, 30_000)
    times.push(performance.now() - started)
  }
  return times
}
