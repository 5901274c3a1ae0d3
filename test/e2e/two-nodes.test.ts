import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openssl } from '../support/clients.ts'
import { pebbleIsMissing, pebbleLabel } from '../support/pebble.ts'
import { eventually, makeDirectory, type RunningPostern, startPostern } from '../support/postern.ts'
import { startPostgres } from '../support/postgres.ts'
import { startTestAuthority, type TestAuthority } from '../support/test-authority.ts'

const running = new AsyncDisposableStack()
let authority: TestAuthority
const nodes: RunningPostern[] = []

beforeAll(async () => {
  const postgres = running.use(await startPostgres())
  authority = running.use(await startTestAuthority())
  const directory = await makeDirectory()
  const settings = { ...authority.settings, 'store.url': postgres.url, 'edge.workers': 1 }
  // Both at once, on an empty database: they must not trip over one another.
  const [first, second] = await Promise.all([
    startPostern({ directory, settings }),
    startPostern({ settings: { ...settings, 'edge.http': '127.0.0.1:0' }, keyOf: directory }),
  ])
  nodes.push(running.use(first), running.use(second))
})

afterAll(() => running.disposeAsync())

const nodeAt = (index: number): RunningPostern => {
  const node = nodes[index]
  if (!node) throw new Error('That node did not start')
  return node
}

describe.skipIf(pebbleIsMissing)(`two nodes on one PostgreSQL ${pebbleLabel}`, () => {
  it('what one of them issues, both serve, with one account and one order', async () => {
    const host = 'email.shared.test'
    await authority.dns.setCname(host, authority.edgeName)
    await nodeAt(1).api('/hosts', { method: 'POST', body: { host } })
    const active = await eventually(
      async () => (await nodeAt(0).api(`/hosts/${host}`)).body,
      ({ httpsSafe }) => httpsSafe === true,
    )
    // httpsSafe is promised only once every node has served it: no waiting here.
    for (const node of nodes) {
      const shown = await openssl(node.httpsPort, host, ['-CAfile', authority.rootsFile])
      expect(shown.stdout).toContain('Verify return code: 0 (ok)')
    }
    expect(active.certificate.serial).toMatch(/^[0-9A-F]+$/)
    const { body } = await nodeAt(0).api('/acme')
    expect(body.accounts).toHaveLength(1)
  })

  it('a retired host is served by neither', async () => {
    const host = 'leaver.shared.test'
    await authority.dns.setCname(host, authority.edgeName)
    await nodeAt(0).api('/hosts', { method: 'POST', body: { host } })
    await eventually(
      async () => (await nodeAt(0).api(`/hosts/${host}`)).body,
      ({ httpsSafe }) => httpsSafe === true,
    )
    await nodeAt(0).api(`/hosts/${host}`, { method: 'DELETE' })
    for (const node of nodes) {
      await eventually(
        async () => (await openssl(node.httpsPort, host)).stdout,
        (stdout) => stdout.includes('no peer certificate available'),
        2_000,
      )
    }
  })

  it('one node may die: the other goes on alone, after the lease of what the dead one held', async () => {
    const host = 'survivor.shared.test'
    await nodeAt(1).kill()
    await authority.dns.setCname(host, authority.edgeName)
    await nodeAt(0).api('/hosts', { method: 'POST', body: { host } })
    await eventually(
      async () => (await nodeAt(0).api(`/hosts/${host}`)).body,
      ({ httpsSafe }) => httpsSafe === true,
      60_000,
    )
  })
})
