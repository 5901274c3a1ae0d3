import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { doctorChecks } from '../../../src/app/doctor/doctor-checks.ts'
import { examine } from '../../../src/cli/doctor/examine.ts'
import { loadConfig } from '../../../src/config/index.ts'
import { systemClock, systemRandom } from '../../../src/kernel/index.ts'
import { type AcmeWorld, startAcmeWorld } from '../../support/acme-world.ts'
import { pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'

describe.skipIf(pebbleIsMissing)(`doctor at a CA ${pebbleLabel}`, () => {
  let world: AcmeWorld
  let folder: string
  beforeAll(async () => {
    world = await startAcmeWorld()
    folder = await mkdtemp(join(tmpdir(), 'postern-doctor-ca-'))
  })
  afterAll(async () => {
    await world[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  async function look(settings: Record<string, string> = {}) {
    const flags = new Map(
      Object.entries({
        'store.url': `sqlite:${join(folder, 'postern.sqlite')}`,
        'acme.ca': world.pebble.directoryUrl,
        'acme.roots': world.rootsFile,
        'net.dns': world.dns.address,
        'edge.name': 'edge.customer.test',
        ...settings,
      }),
    )
    const environment = { names: () => [], read: () => undefined }
    const { config } = await loadConfig({ cwd: folder, environment, flags })
    const variables = { take: () => undefined, read: () => undefined }
    const outside = { clock: systemClock, random: systemRandom, variables }
    const found = await examine(doctorChecks(config, outside), new AbortController().signal)
    return Object.fromEntries(found.map(({ name, finding }) => [name, finding]))
  }

  it('finds that it answers and tells our time, and where its terms are', async () => {
    expect(await look()).toMatchObject({
      'certificate authority': { verdict: 'ok', seen: /answers$/ },
      clock: { verdict: 'ok' },
      'acme terms': { verdict: 'bad', fix: /^Read data:|^Read https?:/ },
    })
  })

  it('finds that it has no such profile', async () => {
    const findings = await look({ 'acme.profile': 'nonesuch' })
    expect(findings['certificate authority']).toMatchObject({
      verdict: 'bad',
      seen: /it has no profile nonesuch/,
      fix: /acme\.profile/,
    })
  })

  it('finds which of two does not answer', async () => {
    const gone = 'https://127.0.0.1:1/directory'
    const findings = await look({ 'acme.ca': `${gone},${world.pebble.directoryUrl}` })
    expect(findings).toMatchObject({
      [`certificate authority ${gone}`]: { verdict: 'bad', seen: /does not answer/ },
      [`certificate authority ${world.pebble.directoryUrl}`]: { verdict: 'ok' },
      clock: { verdict: 'ok' },
    })
  })
})
