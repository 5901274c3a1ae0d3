import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { HistoryView } from '../../src/api/index.ts'
import {
  ADMIN_KEY,
  aCertificate,
  aHost,
  aHostname,
  startTestApi,
  type TestApi,
} from '../support/api-server.ts'
import { type CliWorld, cli } from '../support/cli.ts'

let api: TestApi
let folder: string
beforeAll(async () => {
  api = await startTestApi()
  folder = await mkdtemp(join(tmpdir(), 'postern-cli-'))
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})
beforeEach(() => {
  const { hosts, certificates, history, deeds } = api.world
  for (const part of [hosts, certificates, history]) part.clear()
  deeds.length = 0
})

const postern = (args: readonly string[], world: CliWorld = {}) =>
  cli([...args, '--url', api.url, '--key', ADMIN_KEY], world)

function aStep(second: number, step: string, sentence: string): HistoryView {
  const at = new Date(Date.parse('2026-11-22T12:00:00Z') + second * 1000)
  return { at, step, outcome: 'done', sentence }
}

describe('host add', () => {
  it('adds a name and shows where it stands', async () => {
    const end = await postern(['host', 'add', 'email.customer.test'])
    expect(end).toMatchObject({ code: 0, stderr: '' })
    expect(end.stdout).toMatch(/^host +email\.customer\.test\n.*domain +customer\.test/s)
    expect(end.stdout).toMatch(/state +waiting-for-dns/)
  })

  it('adds names from arguments, standard input and a file, with their domains', async () => {
    const from = join(folder, 'names')
    await writeFile(from, '# ours\nc.x.test  own.test\n\nd.x.test\n')
    const args = ['host', 'add', 'a.x.test', '-', '--from', from, '--domain', 'x.test', '--json']
    const end = await postern(args, { stdin: 'b.x.test\r\na.x.test\n' })
    expect(end.code).toBe(0)
    expect(end.json().items).toHaveLength(4)
    expect([...api.world.deeds].sort()).toEqual([
      'add a.x.test x.test',
      'add b.x.test x.test',
      'add c.x.test own.test',
      'add d.x.test x.test',
    ])
  })

  it('adds the good names when others are bad, and ends with their code', async () => {
    const end = await postern(['host', 'add', 'a.x.test', '192.0.2.1', 'b.x.test'])
    expect(end.code).toBe(2)
    expect(end.stdout).toMatch(/a\.x\.test .*\n.*b\.x\.test|b\.x\.test .*\n.*a\.x\.test/)
    expect(end.stderr).toMatch(/^192\.0\.2\.1: postern: "192\.0\.2\.1" cannot be a tracking host/)
  })

  it('tells the story until the padlock with --wait, but not what happened long ago', async () => {
    const reason = { code: 'dns/no-cname', sentence: 'No CNAME.', fix: 'Add a CNAME.' } as const
    const waiting = aHost({ state: 'waiting-for-dns', httpsSafe: false, reason })
    const issuing = aHost({ state: 'issuing', httpsSafe: false })
    const longAgo = aStep(-900, 'add', 'Long ago.')
    const pointed = aStep(0, 'look', 'Points at us.')
    const issued = aStep(1.5, 'issue', 'Issued.')
    const chapters = [
      { host: waiting, history: [longAgo] },
      { host: waiting, history: [longAgo] },
      { host: issuing, history: [longAgo, pointed] },
      { host: aHost(), history: [longAgo, pointed, issued] },
    ]
    await using story = await startTestApi({
      hosts: {
        find: async () => chapters[0]?.host,
        // Each look at the history turns the page.
        history: async () => (chapters.length > 1 ? chapters.shift() : chapters[0])?.history ?? [],
        page: async () => ({ hosts: [] }),
      },
    })
    story.world.certificates.set(aHostname(), aCertificate())
    const access = ['--url', story.url, '--key', ADMIN_KEY]
    const end = await cli(['host', 'add', 'email.customer.test', '--wait', ...access])
    expect(end.code).toBe(0)
    expect(end.stdout.split('\n')).toEqual([
      '            to do: Add a CNAME.',
      '    0.00 s  look: Points at us.',
      '    1.50 s  issue: Issued.',
      'padlock: https://email.customer.test/, certificate 0A1B2C by Test CA 1, until 2027-02-20T11:00:00.000Z',
      '',
    ])
  })

  it('gives up waiting after --timeout, with the reason and its fix', async () => {
    const reason = { code: 'dns/nxdomain', sentence: 'No such name.', fix: 'Make it.' } as const
    api.world.hosts.set(aHostname(), aHost({ state: 'waiting-for-dns', httpsSafe: false, reason }))
    const args = ['host', 'add', 'email.customer.test', '--wait', '--timeout', '10ms']
    const end = await postern(args)
    expect(end.code).toBe(1)
    expect(end.stderr).toMatch(/no padlock after 10ms: dns\/nxdomain: No such name\./)
    expect(end.stderr).toMatch(/Make it\. Postern keeps trying/)
  })

  it('ends in 2 when the edge has no name', async () => {
    await using nameless = await startTestApi({ edgeName: undefined })
    const access = ['--url', nameless.url, '--key', ADMIN_KEY]
    const end = await cli(['host', 'add', 'a.x.test', ...access])
    expect(end.code).toBe(2)
    expect(end.stderr).toMatch(
      /^postern: The name of the edge is not configured\.\n {2}Set edge\.name/,
    )
  })
})

describe('hosts', () => {
  it('are listed over all pages, as a table or as JSON', async () => {
    for (let index = 0; index < 1200; index += 1) {
      const name = `h${String(index).padStart(4, '0')}.x.test`
      api.world.hosts.set(name, aHost({ hostname: aHostname(name) }))
    }
    const all = await postern(['host', 'list', '--json', '--limit', '2000'])
    expect(all.json().items).toHaveLength(1200)
    const some = await postern(['host', 'list', '--limit', '3'])
    expect(some.stdout).toBe(
      [
        'HOST          STATE   HTTPS  VALID UNTIL  RENEWED ON  REASON',
        'h0000.x.test  active  yes    -            -           -',
        'h0001.x.test  active  yes    -            -           -',
        'h0002.x.test  active  yes    -            -           -',
        '',
      ].join('\n'),
    )
    expect(some.stderr).toBe('There are more than 3: raise --limit.\n')
  })

  it('are shown with reason, fix and checks, and nothing from outside reaches the terminal raw', async () => {
    const reason = {
      code: 'dns/wrong-target',
      sentence: 'It points at \u001b[31mevil.test\u202e.',
      fix: 'Point it at edge.test.',
    } as const
    const checks = [{ name: 'cname', ok: false, seen: 'evil.test', expected: 'edge.test' }]
    api.world.hosts.set(aHostname(), aHost({ state: 'failing', reason, checks }))
    const { stdout } = await postern(['host', 'show', 'email.customer.test', '--history'])
    expect(stdout).toMatch(/reason +dns\/wrong-target: It points at ·\[31mevil\.test·\./)
    expect(stdout).toMatch(/to do +Point it at edge\.test\./)
    expect(stdout).toMatch(/bad {2}cname: evil\.test, expected edge\.test/)
  })

  it('are checked, renewed and removed', async () => {
    api.world.hosts.set(aHostname(), aHost())
    for (const deed of ['check', 'renew', 'remove']) {
      expect((await postern(['host', deed, 'email.customer.test'])).code).toBe(0)
    }
    expect(api.world.deeds).toEqual([
      'check email.customer.test',
      'renew email.customer.test',
      'retire email.customer.test',
    ])
  })

  it('that are not there end in 3', async () => {
    const end = await postern(['host', 'show', 'no.customer.test', '--json'])
    expect(end.code).toBe(3)
    expect(JSON.parse(end.stderr).error.code).toBe('hosts/not-found')
    expect(end.stdout).toBe('')
  })
})

describe('certificates', () => {
  beforeEach(() => {
    api.world.certificates.set(aHostname(), aCertificate())
  })

  it('are listed and shown', async () => {
    expect((await postern(['cert', 'list'])).stdout).toMatch(/email\.customer\.test +2027-02-20/)
    const none = await postern(['cert', 'list', '--expiring-before', '2026-12-01', '--json'])
    expect(none.json().items).toEqual([])
    const shown = await postern(['cert', 'show', 'email.customer.test'])
    expect(shown.stdout).toMatch(/serial +0A1B2C/)
  })

  it('are exported to a file that only its owner reads, or printed', async () => {
    const out = join(folder, 'host.pem')
    const end = await postern(['cert', 'export', 'email.customer.test', '--out', out])
    expect(end.stdout).toBe(`Chain and key of email.customer.test are in ${out}.\n`)
    expect((await stat(out)).mode & 0o777).toBe(0o600)
    const printed = await postern(['cert', 'export', 'email.customer.test'])
    expect(printed.stdout).toBe(await readFile(out, 'utf8'))
  })

  it('are not exported to where nobody can write', async () => {
    const end = await postern(['cert', 'export', 'email.customer.test', '--out', '/nonexistent/x'])
    expect([end.code, end.stdout]).toEqual([2, ''])
    expect(end.stderr).toMatch(/cannot be written \(ENOENT\)/)
  })
})

describe('key status', () => {
  it('shows what rests under which key', async () => {
    expect((await postern(['key', 'status'])).stdout).toMatch(/k1 +seals and opens +3/)
  })
})

describe('finding the server', () => {
  it('needs nothing on its own machine', async () => {
    await writeFile(join(folder, 'running.json'), JSON.stringify({ pid: 1, url: api.url }))
    await writeFile(join(folder, 'admin.key'), `${ADMIN_KEY}\n`)
    const end = await cli(['host', 'list'], { dataDirectory: async () => folder, cwd: folder })
    expect(end.code).toBe(0)
  })

  it('reads POSTERN_API_URL and POSTERN_API_KEY', async () => {
    const environment = { POSTERN_API_URL: `${api.url}/`, POSTERN_API_KEY: ADMIN_KEY }
    expect((await cli(['host', 'list'], { environment })).code).toBe(0)
  })

  it('never sends the local key to a server that was named', async () => {
    const end = await cli(['host', 'list', '--url', api.url], { dataDirectory: async () => folder })
    expect(end.code).toBe(2)
    expect(end.stderr).toMatch(/no key for/)
  })

  it.each<[string, string[], number, RegExp]>([
    [
      'nobody runs here',
      ['host', 'list'],
      4,
      /No Postern server is running in \/nonexistent\.\n {2}Start it/,
    ],
    [
      'nobody answers',
      ['host', 'list', '--url', 'http://127.0.0.1:1', '--key', 'k'],
      4,
      /No Postern server answers/,
    ],
    ['the key is wrong', ['host', 'list', '--key', 'k', '--url', 'API'], 2, /key is not known/],
    ['it is no URL', ['host', 'list', '--key', 'k', '--url', 'ftp://x'], 2, /not the URL/],
  ])('says when %s', async (_, args, code, message) => {
    const end = await cli(args.map((argument) => (argument === 'API' ? api.url : argument)))
    expect(end.code).toBe(code)
    expect(end.stderr).toMatch(message)
    expect(end.stderr).not.toMatch(/ at .*\.ts/)
  })
})
