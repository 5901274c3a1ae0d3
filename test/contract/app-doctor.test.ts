import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Authority, CaHealth } from '../../src/acme/index.ts'
import type { AuthorityView, QueuedView } from '../../src/api/index.ts'
import { authorityChecks } from '../../src/app/doctor/authority-checks.ts'
import type { DoctorCheck } from '../../src/app/doctor/check.ts'
import { doctorChecks } from '../../src/app/doctor/doctor-checks.ts'
import { edgeNameCheck } from '../../src/app/doctor/edge-name.ts'
import { runtimeCheck } from '../../src/app/doctor/runtime.ts'
import { examine } from '../../src/cli/doctor/examine.ts'
import { loadConfig } from '../../src/config/index.ts'
import { hours, systemClock, systemRandom } from '../../src/kernel/index.ts'
import type { CaaRecord, DnsAnswer } from '../../src/net/index.ts'
import { ADMIN_KEY, anAuthority, startTestApi } from '../support/api-server.ts'
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
      budgets: { verdict: 'ok', seen: /while a server runs/ },
      webhooks: { verdict: 'ok' },
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

describe('certificate authorities', () => {
  const letsencrypt: Authority = {
    name: 'letsencrypt',
    directoryUrl: 'https://ca.test/directory',
    caaIdentities: ['letsencrypt.org'],
  }
  const google: Authority = {
    name: 'google',
    directoryUrl: 'https://google.test/directory',
    caaIdentities: ['pki.goog'],
  }
  const clock = createFakeClock('2026-11-22T12:00:00Z')

  interface Surroundings {
    readonly caa?: DnsAnswer<CaaRecord>
    readonly caDate?: string
    readonly settings?: Record<string, string>
    readonly authorities?: readonly Authority[]
    readonly accountUrls?: readonly (readonly [string, string])[]
    readonly health?: readonly CaHealth[]
  }

  async function lookAtCas(surroundings: Surroundings) {
    const { caa = { kind: 'none' }, settings = {}, accountUrls = [] } = surroundings
    const { authorities = [letsencrypt], caDate = '2026-11-22T12:00:30Z' } = surroundings
    const ca = authorities.map(({ name }) => name).join(',')
    const config = await configWith({ 'edge.name': 'edge.test', 'acme.ca': ca, ...settings })
    const reachable = authorities.map(({ name }) => ({
      ...{ kind: 'reachable' as const, name, caDate: new Date(caDate) },
    }))
    const cas = {
      authorities: async () => authorities,
      checkHealth: async () => surroundings.health ?? reachable,
    }
    const deps = {
      ...{ withCas: <Result>(work: (all: typeof cas) => Promise<Result>) => work(cas), clock },
      resolver: { caa: async () => caa },
      accountUrls: async () => new Map(accountUrls),
    }
    return findingsOf(authorityChecks(deps, config))
  }

  const issue = (...values: readonly string[]): DnsAnswer<CaaRecord> => ({
    kind: 'found',
    records: values.map((value) => ({ critical: false, tag: 'issue', value })),
  })

  it.each<[string, DnsAnswer<CaaRecord>, object]>([
    [
      'nothing is published',
      { kind: 'none' },
      { verdict: 'warn', fix: 'Publish\nedge.test. IN CAA 0 issue "letsencrypt.org"' },
    ],
    ['it is named', issue('LetsEncrypt.org; validationmethods=http-01'), { verdict: 'ok' }],
    [
      'another is named',
      issue('other.test'),
      { verdict: 'bad', fix: 'Publish\nedge.test. IN CAA 0 issue "letsencrypt.org"' },
    ],
    ['nobody may', issue(';'), { verdict: 'bad', seen: /forbids every CA/ }],
    [
      'another way of proof is named',
      issue('letsencrypt.org; validationmethods=dns-01'),
      { verdict: 'bad', seen: /does not allow HTTP-01/ },
    ],
    ['nobody answers', { kind: 'servfail' }, { verdict: 'bad', fix: /name servers/ }],
  ])('are judged by CAA: %s', async (_, caa, finding) => {
    expect((await lookAtCas({ caa }))['caa']).toMatchObject(finding)
  })

  describe('of which there are several, with accounts', () => {
    const several = {
      authorities: [letsencrypt, google],
      accountUrls: [
        ['letsencrypt', 'https://ca.test/acct/1'],
        ['google', 'https://google.test/acct/2'],
      ] as const,
    }
    const records = [
      'edge.test. IN CAA 0 issue "letsencrypt.org; accounturi=https://ca.test/acct/1"',
      'edge.test. IN CAA 0 issue "pki.goog; accounturi=https://google.test/acct/2"',
    ]

    it('get a record each, bound to our accounts', async () => {
      const fix = ['Publish', ...records].join('\n')
      expect((await lookAtCas(several))['caa']).toMatchObject({ verdict: 'warn', fix })
    })

    it('are bad if one of them is forbidden, or bound to another account', async () => {
      const one = await lookAtCas({ ...several, caa: issue('letsencrypt.org') })
      expect(one['caa']).toMatchObject({ verdict: 'bad', seen: /google: .*another CA/ })
      const value = 'letsencrypt.org; accounturi=https://ca.test/acct/9'
      const bound = await lookAtCas({ ...several, caa: issue(value, 'pki.goog') })
      expect(bound['caa']).toMatchObject({ verdict: 'bad', seen: /for another account/ })
    })

    it('are good when published, with a word on what is not bound', async () => {
      const caa = issue(
        'letsencrypt.org; accounturi=https://ca.test/acct/1',
        'pki.goog; accounturi=https://google.test/acct/2',
      )
      const seen = 'edge.test lets letsencrypt, google issue'
      expect((await lookAtCas({ ...several, caa }))['caa']).toEqual({ verdict: 'ok', seen })
      const loose = await lookAtCas({ ...several, caa: issue('letsencrypt.org', 'pki.goog') })
      expect(loose['caa']).toEqual({
        verdict: 'ok',
        seen: `${seen}; bound to our account: ${records.join(' and ')}`,
      })
    })

    it('are bad if they will not serve us as we are set up', async () => {
      const caDate = new Date('2026-11-22T12:00:10Z')
      const obstacle = { reason: 'it has no profile brief', fix: 'Set acme.profile.' }
      const terms = 'https://ca.test/terms'
      const findings = await lookAtCas({
        ...several,
        health: [
          { kind: 'reachable', name: 'letsencrypt', caDate, terms },
          { kind: 'reachable', name: 'google', caDate, obstacle },
        ],
      })
      expect(findings).toMatchObject({
        'acme terms': { verdict: 'bad', fix: `Read ${terms} and set acme.agreeTerms to true.` },
        'certificate authority google': {
          verdict: 'bad',
          seen: 'google answers, but it has no profile brief',
          fix: 'Set acme.profile.',
        },
      })
    })

    it('are looked at one by one', async () => {
      const findings = await lookAtCas({
        ...several,
        health: [
          { kind: 'unreachable', name: 'letsencrypt', reason: 'timeout', fix: undefined },
          { kind: 'reachable', name: 'google', caDate: new Date('2026-11-22T12:00:10Z') },
        ],
      })
      expect(findings).toMatchObject({
        'certificate authority letsencrypt': { verdict: 'bad', seen: /timeout/ },
        'certificate authority google': { verdict: 'ok' },
        clock: { verdict: 'ok', seen: "10 s from the CA's" },
      })
    })
  })

  it.each([
    ['2026-11-22T12:00:59Z', 'ok'],
    ['2026-11-22T11:58:00Z', 'warn'],
    ['2026-11-22T12:02:00Z', 'warn'],
    ['2026-11-22T10:00:00Z', 'bad'],
  ])('tells the time: %s is %s', async (caDate, verdict) => {
    expect((await lookAtCas({ caDate }))['clock']).toMatchObject({ verdict })
  })

  it('wants its terms agreed to, and a contact', async () => {
    const agreed = { 'acme.agreeTerms': 'true' }
    expect((await lookAtCas({ settings: agreed }))['acme terms']).toMatchObject({ verdict: 'warn' })
    const settings = { ...agreed, 'acme.email': 'ops@edge.test' }
    expect((await lookAtCas({ settings }))['acme terms']).toMatchObject({ verdict: 'ok' })
  })
})

describe('what the running server knows', () => {
  const paused = {
    ...{ hostname: 'email.customer.test', pausedAt: new Date('2026-11-21T12:00:00Z') },
    unpauseUrl: 'https://ca.test/unpause',
  }

  async function lookThrough(overrides: Parameters<typeof startTestApi>[0] = {}) {
    await using api = await startTestApi(overrides)
    await writeFile(join(folder, 'admin.key'), `${ADMIN_KEY}\n`)
    const running = { pid: process.pid, url: api.url }
    await writeFile(join(folder, 'running.json'), JSON.stringify(running))
    return await look({ 'store.url': `sqlite:${join(folder, 'postern.sqlite')}` })
  }
  const acme = (overrides: Partial<AuthorityView>, queue: readonly QueuedView[] = []) => ({
    describe: async () => ({
      ...{ authority: anAuthority(), accounts: [], openOrders: [] },
      authorities: [anAuthority(overrides)],
    }),
    queue: async () => queue,
    forecast: async () => ({
      ...{ from: new Date('2026-11-22T12:00:00Z'), hours: [1, 0], profiles: [] },
      ...{ longestWait: hours(50), isCarried: false },
    }),
  })

  it('is shown: budgets, queue, forecast, rotation and webhooks', async () => {
    expect(await lookThrough()).toMatchObject({
      budgets: { verdict: 'warn', seen: /^letsencrypt: 12 of 300 new-orders per 3h$/ },
      queue: { verdict: 'ok', seen: '3 first since 2026-11-22T11:00:00.000Z' },
      forecast: { verdict: 'ok', seen: /^6 renewals in 0 days, 1\.5 an hour, at most 4 / },
      'paused names': { verdict: 'ok', seen: 'none' },
      'key rotation': { verdict: 'ok' },
      webhooks: { verdict: 'warn', seen: /^1 do not take what they are sent; 4 events wait/ },
    })
  })

  it('finds nothing wrong in a pace of our own that is used up', async () => {
    const pace = { limit: 'own-pace', per: hours(1), capacity: 600, left: 0 }
    const findings = await lookThrough({ acme: acme({ budgets: [pace] }) })
    expect(findings['budgets']).toMatchObject({ verdict: 'ok' })
  })

  it('says what needs a person: pauses, a queue of what expires, limits that do not carry', async () => {
    const findings = await lookThrough({
      acme: acme({ health: 'held', budgets: [], pausedNames: [paused] }, [
        { urgency: 'expiring', count: 2, oldest: new Date('2026-11-22T11:00:00Z') },
      ]),
      keys: {
        rotate: async () => ({ kind: 'nothing-to-do' }),
        status: async () => ({
          keys: [
            { keyId: 'new', use: 'seals', secrets: 3, source: 'env:NEW' },
            { keyId: 'old', use: 'opens', secrets: 5, source: 'env:OLD' },
          ],
          rotation: undefined,
        }),
      },
    })
    expect(findings).toMatchObject({
      budgets: { verdict: 'warn', seen: /letsencrypt \(held\)/, fix: /second CA/ },
      queue: { verdict: 'bad', fix: /higher limit/ },
      forecast: { verdict: 'warn', fix: /50 hours/ },
      'paused names': {
        verdict: 'warn',
        seen: 'email.customer.test (letsencrypt)',
        fix: /https:\/\/ca\.test\/unpause$/,
      },
      'key rotation': { verdict: 'warn', seen: '5 secrets rest under old', fix: /key rotate/ },
    })
  })

  it('is bad when the server does not answer', async () => {
    const running = { pid: process.pid, url: 'http://127.0.0.1:1' }
    await writeFile(join(folder, 'running.json'), JSON.stringify(running))
    await writeFile(join(folder, 'admin.key'), `${ADMIN_KEY}\n`)
    const findings = await look({ 'store.url': `sqlite:${join(folder, 'postern.sqlite')}` })
    expect(findings['budgets']).toMatchObject({ verdict: 'bad', seen: /ECONNREFUSED/ })
  })
})

describe('the runtime', () => {
  it('must be 24 or newer', async () => {
    expect(await runtimeCheck('20.20.2').run(signal)).toMatchObject({ verdict: 'bad' })
    expect(await runtimeCheck('26.10.0').run(signal)).toMatchObject({ verdict: 'ok' })
  })
})
