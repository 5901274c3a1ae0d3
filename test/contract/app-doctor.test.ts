import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Authority } from '../../src/acme/index.ts'
import { authorityChecks } from '../../src/app/doctor/authority-checks.ts'
import type { DoctorCheck } from '../../src/app/doctor/check.ts'
import { doctorChecks } from '../../src/app/doctor/doctor-checks.ts'
import { edgeNameCheck } from '../../src/app/doctor/edge-name.ts'
import { runtimeCheck } from '../../src/app/doctor/runtime.ts'
import { examine } from '../../src/cli/doctor/examine.ts'
import { loadConfig } from '../../src/config/index.ts'
import { systemClock, systemRandom } from '../../src/kernel/index.ts'
import type { CaaRecord, DnsAnswer } from '../../src/net/index.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const signal = new AbortController().signal
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-doctor-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function configWith(settings: Record<string, string> = {}) {
  const flags = new Map(
    Object.entries({
      'store.url': `sqlite:${join(folder, 'data', 'postern.sqlite')}`,
      'vault.key': `file:${join(folder, 'master.key')}`,
      'edge.http': '127.0.0.1:0',
      'edge.https': '127.0.0.1:0',
      'api.listen': '127.0.0.1:0',
      'acme.ca': 'https://127.0.0.1:1/directory',
      'net.dns': '127.0.0.1:1',
      ...settings,
    }),
  )
  const environment = { names: () => [], read: () => undefined }
  return (await loadConfig({ cwd: folder, environment, flags })).config
}

async function findingsOf(checks: readonly DoctorCheck[]) {
  const examined = await examine(checks, signal)
  return Object.fromEntries(examined.map(({ name, finding }) => [name, finding]))
}

async function look(settings: Record<string, string> = {}) {
  const variables = { take: () => undefined, read: () => undefined }
  const outside = { clock: systemClock, random: systemRandom, variables }
  return findingsOf(doctorChecks(await configWith(settings), outside))
}

describe('doctor on a fresh machine', () => {
  it('finds what is missing, each with its fix, and changes nothing', async () => {
    const findings = await look()
    expect(findings).toMatchObject({
      runtime: { verdict: 'ok' },
      'data directory': { verdict: 'ok' },
      store: { verdict: 'ok', seen: /empty/ },
      'master key': { verdict: 'ok', seen: /made at the first start/ },
      'edge.http 127.0.0.1:0': { verdict: 'ok', seen: 'free' },
      'edge.https 127.0.0.1:0': { verdict: 'ok' },
      'api.listen 127.0.0.1:0': { verdict: 'ok' },
      'edge name': { verdict: 'bad', fix: /Set edge\.name/ },
      'acme terms': { verdict: 'bad', fix: /acme\.agreeTerms/ },
      'certificate authority': { verdict: 'bad' },
      clock: { verdict: 'warn' },
      caa: { verdict: 'warn' },
    })
    expect(await readdir(folder)).toEqual([])
  })
})

describe('the master key', () => {
  it('is bad when others can read it', async () => {
    const path = join(folder, 'open.key')
    await writeFile(path, Buffer.alloc(32, 7).toString('base64'))
    await chmod(path, 0o644)
    const findings = await look({ 'vault.key': `file:${path}` })
    expect(findings['master key']).toMatchObject({ verdict: 'bad', fix: `Run: chmod 600 ${path}` })
  })

  it('is a warning when it lies beside the database', async () => {
    const path = join(folder, 'beside.key')
    await writeFile(path, Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 })
    const url = `sqlite:${join(folder, 'postern.sqlite')}`
    const findings = await look({ 'vault.key': `file:${path}`, 'store.url': url })
    expect(findings['master key']).toMatchObject({ verdict: 'warn', fix: /elsewhere/ })
  })
})

describe('a port', () => {
  it('is bad when another program has it, and good when our server has', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    try {
      const address = other.address()
      const port = typeof address === 'object' ? address?.port : undefined
      const settings = {
        'edge.http': `127.0.0.1:${port}`,
        'store.url': `sqlite:${join(folder, 'postern.sqlite')}`,
      }
      const name = `edge.http 127.0.0.1:${port}`
      expect((await look(settings))[name]).toMatchObject({ verdict: 'bad', fix: /edge\.http/ })
      const running = { pid: process.pid, url: 'http://127.0.0.1:1' }
      await writeFile(join(folder, 'running.json'), JSON.stringify(running))
      expect((await look(settings))[name]).toMatchObject({ verdict: 'ok' })
    } finally {
      await new Promise((resolve) => other.close(resolve))
    }
  })

  it('is bad when the address is not of this machine', async () => {
    const findings = await look({ 'api.listen': '192.0.2.1:8025' })
    expect(findings['api.listen 192.0.2.1:8025']).toMatchObject({ verdict: 'bad' })
  })
})

describe('the edge name', () => {
  const none = async (): Promise<DnsAnswer<string>> => ({ kind: 'none' })
  const found = async (): Promise<DnsAnswer<string>> => ({ kind: 'found', records: ['192.0.2.7'] })

  it('needs an address', async () => {
    const name = 'edge.test'
    const good = edgeNameCheck({ name, resolver: { a: found, aaaa: none } })
    expect(await good.run(signal)).toEqual({ verdict: 'ok', seen: 'edge.test: 192.0.2.7' })
    const bad = edgeNameCheck({ name, resolver: { a: none, aaaa: none } })
    expect(await bad.run(signal)).toMatchObject({ verdict: 'bad', fix: /Publish edge\.test\. A/ })
  })
})

describe('the certificate authority', () => {
  const authority: Authority = {
    name: 'letsencrypt',
    directoryUrl: 'https://ca.test/directory',
    caaIdentities: ['letsencrypt.org'],
  }
  const clock = createFakeClock('2026-11-22T12:00:00Z')

  interface Surroundings {
    readonly caa?: DnsAnswer<CaaRecord>
    readonly caDate?: string
    readonly settings?: Record<string, string>
  }

  async function lookAtCa({ caa = { kind: 'none' }, caDate, settings = {} }: Surroundings) {
    const config = await configWith({ 'edge.name': 'edge.test', ...settings })
    const ca = {
      authority: async () => authority,
      checkHealth: async () => ({
        kind: 'reachable' as const,
        caDate: new Date(caDate ?? '2026-11-22T12:00:30Z'),
      }),
    }
    const resolver = { caa: async () => caa }
    return findingsOf(authorityChecks({ withCa: (work) => work(ca), clock, resolver }, config))
  }

  const issue = (value: string): DnsAnswer<CaaRecord> => ({
    kind: 'found',
    records: [{ critical: false, tag: 'issue', value }],
  })

  it.each<[string, DnsAnswer<CaaRecord>, object]>([
    [
      'nothing forbids it',
      { kind: 'none' },
      { verdict: 'ok', seen: /0 issue "letsencrypt\.org"$/ },
    ],
    ['it is named', issue('LetsEncrypt.org; validationmethods=http-01'), { verdict: 'ok' }],
    [
      'another is named',
      issue('other.test'),
      { verdict: 'bad', fix: 'Publish edge.test. IN CAA 0 issue "letsencrypt.org"' },
    ],
    ['nobody may', issue(';'), { verdict: 'bad' }],
    ['nobody answers', { kind: 'servfail' }, { verdict: 'bad', fix: /name servers/ }],
  ])('is judged by CAA: %s', async (_, caa, finding) => {
    expect((await lookAtCa({ caa }))['caa']).toMatchObject(finding)
  })

  it.each([
    ['2026-11-22T12:00:59Z', 'ok'],
    ['2026-11-22T11:58:00Z', 'warn'],
    ['2026-11-22T12:02:00Z', 'warn'],
  ])('tells the time: %s is %s', async (caDate, verdict) => {
    expect((await lookAtCa({ caDate }))['clock']).toMatchObject({ verdict })
  })

  it('wants its terms agreed to, and a contact', async () => {
    const agreed = { 'acme.agreeTerms': 'true' }
    expect((await lookAtCa({ settings: agreed }))['acme terms']).toMatchObject({ verdict: 'warn' })
    const settings = { ...agreed, 'acme.email': 'ops@edge.test' }
    expect((await lookAtCa({ settings }))['acme terms']).toMatchObject({ verdict: 'ok' })
  })
})

describe('the runtime', () => {
  it('must be 24 or newer', async () => {
    expect(await runtimeCheck('20.20.2').run(signal)).toMatchObject({ verdict: 'bad' })
    expect(await runtimeCheck('26.10.0').run(signal)).toMatchObject({ verdict: 'ok' })
  })
})
