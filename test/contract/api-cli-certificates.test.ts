import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hours } from '../../src/kernel/index.ts'
import {
  ADMIN_KEY,
  aCertificate,
  aHost,
  aHostname,
  anAccount,
  anAuthority,
  anEvent,
  startTestApi,
  type TestApi,
} from '../support/api-server.ts'
import { type CliWorld, cli } from '../support/cli.ts'

let api: TestApi
let folder: string
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api[Symbol.asyncDispose]())
beforeEach(async () => {
  const { hosts, certificates, webhooks, accounts, events, deeds } = api.world
  for (const part of [hosts, certificates, webhooks, accounts]) part.clear()
  accounts.set('default', anAccount())
  events.length = 0
  deeds.length = 0
  hosts.set(aHostname(), aHost())
  certificates.set(aHostname(), aCertificate())
  folder = await mkdtemp(join(tmpdir(), 'postern-cli-'))
  return () => rm(folder, { recursive: true })
})

const HOST = 'email.customer.test'
const environment = () => ({ POSTERN_API_URL: api.url, POSTERN_API_KEY: ADMIN_KEY })
const postern = (args: readonly string[], world: CliWorld = {}) =>
  cli(args, { environment: environment(), ...world })

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

describe('cert import', () => {
  it('sends chain and key, and shows the host that is served with it', async () => {
    const cert = await file('chain.pem', 'a chain')
    const key = await file('key.pem', 'a key!')
    const end = await postern(['cert', 'import', HOST, '--cert', cert, '--key', key])
    expect(end).toMatchObject({ code: 0, stderr: '' })
    expect(end.stdout).toMatch(/comes from +the customer/)
    expect(api.world.deeds).toEqual([`bring ${HOST} 7 + 6 characters`])
  })

  it('sends a PKCS#12 file with the password of a file, of standard input or typed', async () => {
    const pkcs12 = await file('host.pfx', 'a file')
    const passwordFile = await file('password', 'pass one\nand no more')
    const args = ['cert', 'import', HOST, '--pkcs12', pkcs12]
    await postern([...args, '--password-file', passwordFile])
    await postern([...args, '--password-file', '-'], { stdin: 'pass two\r\n' })
    const typed = await postern([...args, '--take-over'], {
      typed: ['paxs', '\u007f\u007f', 'ss 3\r'],
    })
    expect(typed.stderr).toBe(`Password of ${pkcs12}: \n`)
    expect(api.world.deeds).toEqual([
      `bring ${HOST} a file under pass one`,
      `bring ${HOST} a file under pass two`,
      `bring ${HOST} a file under pass 3, then take over`,
    ])
  })

  it.each<[string, string[], RegExp]>([
    ['nothing', [], /Give --cert FILE and --key FILE, or --pkcs12 FILE/],
    ['a chain without its key', ['--cert', 'x'], /must be clear what to import/],
    ['all of it', ['--cert', 'x', '--key', 'x', '--pkcs12', 'x'], /must be clear/],
    ['no such file', ['--cert', '/nonexistent', '--key', 'x'], /nonexistent cannot be read/],
  ])('is refused with %s', async (_, args, message) => {
    const end = await postern(['cert', 'import', HOST, ...args])
    expect(end.code).toBe(2)
    expect(end.stderr).toMatch(message)
    expect(api.world.deeds).toEqual([])
  })

  it('says so when nobody can type the password', async () => {
    const pkcs12 = await file('host.pfx', 'a file')
    const end = await postern(['cert', 'import', HOST, '--pkcs12', pkcs12])
    expect([end.code, end.stderr]).toEqual([2, expect.stringMatching(/--password-file FILE/)])
  })

  it('ends on Ctrl-C instead of a password', async () => {
    const pkcs12 = await file('host.pfx', 'a file')
    const end = await postern(['cert', 'import', HOST, '--pkcs12', pkcs12], { typed: ['pa\u0003'] })
    expect(end.code).toBe(1)
    expect(end.stderr).toMatch(/Interrupted/)
    expect(api.world.deeds).toEqual([])
  })
})

describe('cert export', () => {
  it('writes PKCS#12 for its owner only', async () => {
    const out = join(folder, 'host.pfx')
    const passwordFile = await file('password', 'pass\n')
    const args = ['cert', 'export', HOST, '--pkcs12', '--password-file', passwordFile, '-o', out]
    const end = await postern(args)
    expect(end.stdout).toBe(`Chain and key of ${HOST} are in ${out}.\n`)
    expect(await readFile(out, 'utf8')).toBe(`${aCertificate().id} under pass`)
    expect((await stat(out)).mode & 0o777).toBe(0o600)
    expect((await readdir(folder)).sort()).toEqual(['host.pfx', 'password'])
  })

  it('never replaces a file unless told to', async () => {
    const out = await file('there.pem', 'precious')
    const refused = await postern(['cert', 'export', HOST, '-o', out])
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect(refused.stderr).toMatch(/is there already\.\n {2}.*--force/)
    expect(await readFile(out, 'utf8')).toBe('precious')
    expect((await postern(['cert', 'export', HOST, '-o', out, '--force'])).code).toBe(0)
    expect(await readFile(out, 'utf8')).toMatch(/PRIVATE KEY/)
    expect((await stat(out)).mode & 0o777).toBe(0o600)
  })

  it('leaves nothing behind where it cannot write', async () => {
    await postern(['cert', 'export', HOST, '-o', join(folder, 'no', 'such')])
    await postern(['cert', 'export', 'none.customer.test', '-o', join(folder, 'none.pem')])
    expect(await readdir(folder)).toEqual([])
  })

  it('prints no bytes, but base64 for programs', async () => {
    const args = ['cert', 'export', HOST, '--pkcs12', '--password-file', '-']
    const refused = await postern(args, { stdin: 'pass\n' })
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    const json = (await postern([...args, '--json'], { stdin: 'pass\n' })).json()
    expect(Buffer.from(json.pkcs12, 'base64').toString()).toMatch(/under pass$/)
  })

  it('wants a password that is one', async () => {
    const args = ['cert', 'export', HOST, '--pkcs12', '--password-file', '-', '--json']
    expect((await postern(args, { stdin: '\n' })).stderr).toMatch(/password is empty/)
  })
})

describe('cert revoke', () => {
  const args = ['cert', 'revoke', aCertificate().id, '--reason', 'superseded']

  it('asks first, and does nothing without a yes', async () => {
    const end = await postern(args, { typed: ['n\n'] })
    expect(end.stderr).toMatch(/^Revoke certificate 0A1B2C of email\.customer\.test\? .* \[y\/N\] /)
    expect(end.stderr).toMatch(/Nothing was revoked/)
    expect([end.code, api.world.deeds]).toEqual([1, []])
  })

  it('revokes after a yes, or with --yes', async () => {
    const end = await postern(args, { typed: ['y\n'] })
    expect(end.stdout).toMatch(/revoked +2026-11-22 12:00 UTC/)
    expect((await postern([...args, '--yes', '--json'])).json().revokedAt).not.toBeNull()
    const deed = `revoke ${aCertificate().id} superseded`
    expect(api.world.deeds).toEqual([deed, deed])
  })

  it('does not guess what nobody could be asked', async () => {
    const end = await postern(args)
    expect([end.code, end.stderr]).toEqual([2, expect.stringMatching(/Add --yes/)])
    expect(api.world.deeds).toEqual([])
  })

  it('takes only the reasons that CAs take', async () => {
    const end = await postern([...args.slice(0, 4), 'certificateHold'])
    expect([end.code, end.stderr]).toEqual([2, expect.stringMatching(/keyCompromise/)])
  })
})

describe('accounts', () => {
  it('are named where hosts are added and listed', async () => {
    const added = await postern(['host', 'add', 'e.a.test', '--account', 'acme-corp'])
    expect(added.stdout).toMatch(/account +acme-corp/)
    const listed = await postern(['host', 'list', '--account', 'acme-corp', '--json'])
    expect(listed.json().items).toMatchObject([{ host: 'e.a.test' }])
  })

  it("do not take each other's hosts: that ends in 5, with the TXT record to publish", async () => {
    const end = await postern(['host', 'add', HOST, '--account', 'other'])
    expect(end.code).toBe(5)
    expect(end.stderr).toMatch(/Publish _postern\.email\.customer\.test\. IN TXT "/)
  })
})

describe('webhook', () => {
  it('is set with its key shown once, then shown, tried and removed', async () => {
    const set = await postern(['webhook', 'set', 'https://receiver.test/hook'])
    expect(set.stdout).toMatch(/signing key +whsec_c2VjcmV0\n.*not shown again/s)
    const shown = await postern(['webhook', 'show'])
    expect(shown.stdout).toMatch(/address +https:\/\/receiver\.test\/hook/)
    expect(shown.stdout).not.toMatch(/whsec/)
    const tried = await postern(['webhook', 'test'])
    expect([tried.code, tried.stdout]).toEqual([0, expect.stringMatching(/^Delivered in 12 ms/)])
    expect((await postern(['webhook', 'remove'])).stdout).toBe('Removed.\n')
    expect((await postern(['webhook', 'show'])).code).toBe(3)
  })

  it('that takes nothing ends its test in 1', async () => {
    await postern(['webhook', 'set', 'https://broken.test/'])
    const end = await postern(['webhook', 'test'])
    expect([end.code, end.stdout]).toEqual([1, expect.stringMatching(/answered with status 500/)])
    expect((await postern(['webhook', 'test', '--json'])).json().delivered).toBe(false)
  })

  it('of an account that is not there ends in 3', async () => {
    const args = ['webhook', 'set', 'https://receiver.test/', '--account', 'defualt']
    expect((await postern(args)).code).toBe(3)
  })
})

describe('event list', () => {
  it('shows what happened, safe for a terminal', async () => {
    api.world.events.push(
      anEvent({ data: { sentence: 'It \u001b[31mfailed.' } }),
      anEvent({ kind: 'left', account: 'other', data: { reason: { sentence: 'DNS is gone.' } } }),
    )
    const { stdout } = await postern(['event', 'list'])
    expect(stdout).toMatch(
      /2026-11-22 12:00:00 +issued +email\.customer\.test +default +It ·\[31mf/,
    )
    expect(stdout).toMatch(/left +email\.customer\.test +other +DNS is gone\./)
    const some = await postern(['event', 'list', '--account', 'other', '--json'])
    expect(some.json().items).toHaveLength(1)
  })
})

describe('acme status', () => {
  it('shows budgets, who waits, and a forecast as a chart', async () => {
    const { stdout, code } = await postern(['acme', 'status'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/CA +letsencrypt\n/)
    expect(stdout).toMatch(/new-orders +12 of 300 +3h +2026-11-22 14:52 UTC/)
    expect(stdout).toMatch(/first +3 +2026-11-22 11:00 UTC/)
    expect(stdout).toMatch(
      /Renewals from 2026-11-22 .*: 6, 1\.5 an hour, at most 4 \(2026-11-22 13:00/,
    )
    expect(stdout).toContain('  ·█▄·  each mark 1 h\n')
    expect(stdout).toMatch(
      /with profile shortlived \(6\.7 days\): 1\.8 a day.*more than the limits/,
    )
  })

  it('shows where a pause is lifted, and a CA that does not answer', async () => {
    const pausedNames = [
      {
        hostname: HOST,
        pausedAt: new Date('2026-11-21T12:00:00Z'),
        unpauseUrl: 'https://ca.test/unpause?jwt=1',
      },
    ]
    const why = 'It cannot be reached.'
    await using troubled = await startTestApi({
      acme: {
        describe: async () => ({
          authority: anAuthority(),
          accounts: [],
          openOrders: [],
          authorities: [anAuthority({ health: 'down', why, budgets: [], pausedNames })],
        }),
        queue: async () => [],
        forecast: async () => ({
          from: new Date('2026-11-22T12:00:00Z'),
          ...{ hours: [], longestWait: hours(0), isCarried: true, profiles: [] },
        }),
      },
    })
    const { stdout } = await cli(['acme', 'status', '--url', troubled.url, '--key', ADMIN_KEY])
    expect(stdout).toMatch(/state +does not answer: It cannot be reached\./)
    expect(stdout).toMatch(
      /paused +email\.customer\.test since .*lift it at https:\/\/ca\.test\/unpause\?jwt=1/,
    )
    expect(stdout).toMatch(/Nobody waits for room/)
  })
})

describe('help', () => {
  it.each([
    ['cert import', /--take-over/],
    ['cert export', /--pkcs12/],
    ['cert revoke', /cessationOfOperation/],
    ['webhook set', /--account/],
    ['event list', /--kind/],
    ['acme status', /--json/],
  ])('is there for %s', async (command, option) => {
    const end = await postern([...command.split(' '), '--help'])
    expect([end.code, end.stdout]).toEqual([0, expect.stringMatching(option)])
    expect(end.stdout).toMatch(/--json/)
  })
})
