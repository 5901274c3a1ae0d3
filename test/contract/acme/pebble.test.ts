import { execFileSync, spawn } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { startDns } from '../../../src/cli/demo/dns.ts'
import { findPebble, startPebble } from '../../../src/cli/demo/pebble.ts'
import { pebbleBinaries, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'

const folders: string[] = []
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-test-'))
  folders.push(folder)
  return folder
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

describe('finding Pebble', () => {
  it('believes PEBBLE_BIN and says so when it cannot be run', async () => {
    const answer = await findPebble({ environment: { PEBBLE_BIN: '/nowhere/pebble' } })
    expect(answer).toEqual({
      missing: 'PEBBLE_BIN is /nowhere/pebble, and that cannot be run.',
    })
  })

  it('says in one sentence what to install when there is nothing to get it with', async () => {
    const environment = { PATH: newFolder() }
    const answer = await findPebble({ environment, cacheDirectory: newFolder() })
    expect(answer).toHaveProperty('missing', expect.stringMatching(/install Go .* PEBBLE_BIN\.$/))
  })

  it.skipIf(pebbleIsMissing)('takes the companion from beside PEBBLE_BIN', async () => {
    const found = pebbleBinaries()
    const answer = await findPebble({
      environment: { PEBBLE_BIN: found.pebble, PATH: newFolder() },
      cacheDirectory: newFolder(),
    })
    expect(answer).toEqual(found)
  })
})

describe.skipIf(pebbleIsMissing)(`the servers of the demo ${pebbleLabel}`, () => {
  it('start on free ports, answer, and are gone when stopped', async () => {
    const found = pebbleBinaries()
    const dns = await startDns({ binaries: found })
    await dns.setCname('email.customer.test', 'edge.example.test')
    const resolver = new Resolver()
    resolver.setServers([dns.address])
    expect(await resolver.resolveCname('email.customer.test')).toEqual(['edge.example.test'])

    const pebble = await startPebble({ binaries: found, dnsServer: dns.address, httpPort: 5002 })
    expect(pebble.rootsPem).toContain('BEGIN CERTIFICATE')
    await pebble.stop()
    await dns.stop()
    await expect(pebble.manage('/roots/0')).rejects.toThrow(/ECONNREFUSED/)
  })

  it('die with a parent that is killed', async () => {
    const found = pebbleBinaries()
    const script = `
      import { startDns } from '${import.meta.dirname}/../../../src/cli/demo/dns.ts'
      const dns = await startDns({ binaries: ${JSON.stringify(found)} })
      console.log(dns.address)
      setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script])
    const [address] = await once(parent.stdout, 'data')
    expect(listeners(String(address).trim())).toBe(1)
    parent.kill('SIGKILL')
    await expect.poll(() => listeners(String(address).trim())).toBe(0)
  })
})

/** How many processes of this machine have the address on their command line. */
function listeners(address: string): number {
  if (!existsSync('/proc')) return 0
  const pids = execFileSync('ps', ['-eo', 'args']).toString().split('\n')
  return pids.filter((args) => args.includes(address) && !args.includes('/bin/sh')).length
}
