import { describe, expect, it } from 'vitest'
import type { DoctorCheck } from '../../../src/cli/index.ts'
import { exitCodeOf } from '../../../src/cli/output/exit-code.ts'
import { createTerminal } from '../../../src/cli/output/terminal.ts'
import { takeSettingFlags } from '../../../src/cli/setting-flags.ts'
import { AppError } from '../../../src/kernel/index.ts'
import { cli } from '../../support/cli.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

class TestError extends AppError {}

describe('the command line', () => {
  it.each<[string[], RegExp]>([
    [['hots', 'list'], /^postern: Unknown command 'hots'\.\n {2}Did you mean host\?/],
    [['host', 'lst'], /^postern: Unknown command 'lst'\.\n {2}Did you mean list\?/],
    [['host', 'list', '--sate', 'x'], /Unknown option '--sate'\.\n {2}Did you mean --state\?/],
    [['host', 'show'], /Missing required argument 'host'\.\n {2}Add --help/],
    [['host', 'add'], /There is no name to add/],
    [
      ['serve', '--edge.htp', ':1'],
      /There is no setting edge\.htp \(flag --edge\.htp\)\.\n.*edge\.http\?/,
    ],
    [['serve', '--api.listen'], /--api\.listen needs a value/],
    [['host', 'add', 'a.b.test', '--timeout', 'soon'], /--timeout soon is not a span/],
    [
      ['host', 'list', '--limit', 'all', '--url', 'http://x', '--key', 'k'],
      /not a number above zero/,
    ],
  ])('refuses %j in a sentence, with 2', async (args, message) => {
    const end = await cli(args)
    expect(end.stderr).toMatch(message)
    expect(end.code).toBe(2)
    expect(end.stdout).toBe('')
  })

  it('explains itself', async () => {
    const help = await cli(['--help'])
    expect(help.code).toBe(0)
    for (const command of ['serve', 'demo', 'host', 'cert', 'key', 'config', 'doctor']) {
      expect(help.stdout).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'))
    }
    expect((await cli(['serve', '--help'])).stdout).toMatch(/--edge\.http +Where to listen/)
    expect((await cli(['host', 'add', '--help'])).stdout).toMatch(/--wait[\s\S]*--json/)
    expect((await cli([])).code).toBe(2)
  })

  it('tells a fault of its own in one line, and its stack only when asked', async () => {
    const serve = () => Promise.reject(new TypeError('x is not a function'))
    const end = await cli(['serve'], { serve })
    expect(end.code).toBe(1)
    expect(end.stderr).toMatch(/^postern: unexpected: x is not a function\n {2}This is a fault/)
    expect(end.stderr).not.toMatch(/\.ts:/)
    expect((await cli(['serve', '--log.level', 'debug'], { serve })).stderr).toMatch(/\.ts:/)
  })

  it('says only that it was interrupted', async () => {
    const signal = AbortSignal.abort(new Error('SIGINT'))
    const serve = () => Promise.reject(signal.reason)
    expect((await cli(['serve'], { serve, signal })).stderr).toMatch(/^postern: Interrupted\./)
  })
})

describe('serve and demo', () => {
  it('hand the configuration to the server', async () => {
    const seen: unknown[] = []
    const serve = async (config: unknown) => void seen.push(config)
    const end = await cli(['serve', '--json', '--api.listen=:9'], { serve })
    expect(end.code).toBe(0)
    expect(seen).toMatchObject([{ api: { listen: { port: 9 } }, log: { pretty: false } }])
  })

  it('start the demo', async () => {
    const seen: unknown[] = []
    await cli(['demo', '--keep'], { demo: async (options) => void seen.push(options) })
    expect(seen).toEqual([{ keep: true, renew: false, json: false }])
  })
})

describe('config', () => {
  it('is checked', async () => {
    expect((await cli(['config', 'check'])).code).toBe(0)
    const bad = await cli(['config', 'check'], { environment: { POSTERN_LOG_LEVEL: 'loud' } })
    expect(bad.code).toBe(2)
    expect(bad.stderr).toMatch(/log\.level is loud \(environment POSTERN_LOG_LEVEL\)/)
  })

  it('is explained, secrets hidden', async () => {
    const environment = { POSTERN_STORE_URL: 'postgres://joe:s3cret@db/postern?password=s3cret' }
    const flags = ['--vault.key', 'command:fetch --token s3cret', '--json']
    const end = await cli(['config', 'explain', ...flags], { environment })
    const settings: { key: string; value: string; source: string }[] = end.json().settings
    expect(settings.find(({ key }) => key === 'store.url')).toMatchObject({
      value: 'postgres://joe:[hidden]@db/postern?password=[hidden]',
      source: 'environment POSTERN_STORE_URL',
    })
    expect(
      end.stdout + (await cli(['config', 'explain', ...flags.slice(0, 2)])).stdout,
    ).not.toMatch(/s3cret/)
  })
})

describe('doctor', () => {
  const good: DoctorCheck = { name: 'disk', run: async () => ({ verdict: 'ok', seen: '9 GB' }) }
  const warns: DoctorCheck = {
    name: 'clock',
    run: async () => ({ verdict: 'warn', seen: '2 min off', fix: 'Set it.' }),
  }
  const breaks: DoctorCheck = {
    name: 'ca',
    run: () => Promise.reject(new TestError('x', 'Nobody answers.', { fix: 'Try again.' })),
  }

  it('is content with warnings', async () => {
    const end = await cli(['doctor'], { doctorChecks: async () => [good, warns] })
    expect(end.stdout).toBe('ok    disk: 9 GB\nwarn  clock: 2 min off\n      Set it.\n')
    expect(end.code).toBe(0)
  })

  it('ends in 1 when something is bad, be it a check that breaks', async () => {
    const end = await cli(['doctor', '--json'], { doctorChecks: async () => [breaks, good] })
    expect(end.code).toBe(1)
    expect(end.json()).toMatchObject({
      ok: false,
      checks: [{ name: 'ca', verdict: 'bad', seen: 'Nobody answers.', fix: 'Try again.' }, {}],
    })
  })
})

describe('setting flags', () => {
  it('are found anywhere, with or without =', () => {
    const split = takeSettingFlags([
      '--api.listen=:1',
      'host',
      'list',
      '--edge.name',
      'a.test',
      '--json',
      '--',
      '--x.y',
    ])
    expect(Object.fromEntries(split.settings)).toEqual({
      'api.listen': ':1',
      'edge.name': 'a.test',
    })
    expect(split.rest).toEqual(['host', 'list', '--json', '--', '--x.y'])
  })

  it('need no value where they can only be on or off', () => {
    const bare = takeSettingFlags(['--log.pretty', 'serve'])
    expect([bare.settings.get('log.pretty'), bare.rest]).toEqual(['true', ['serve']])
    expect(takeSettingFlags(['--log.pretty', 'off']).settings.get('log.pretty')).toBe('off')
  })
})

describe('exit codes', () => {
  it.each([
    ['config/bad-value', 2],
    ['hosts/not-found', 3],
    ['cli/unreachable', 4],
    ['vault/wrong-key', 5],
    ['store/newer-schema', 5],
    ['store/corrupt', 1],
  ])('%s ends in %i', (code, exit) => {
    expect(exitCodeOf(new TestError(code, 'x'))).toBe(exit)
  })
})

describe('progress', () => {
  it('is shown only for what takes over a second, and goes away', async () => {
    const clock = createFakeClock()
    let text = ''
    const stderr = { isTTY: true, write: (part: string) => (text += part) }
    const terminal = createTerminal({ stdout: stderr, stderr, clock })
    const work = Promise.withResolvers<string>()
    const running = terminal.progress(
      () => 'Looking',
      () => work.promise,
    )
    await clock.advance(900)
    expect(text).toBe('')
    await clock.advance(1200)
    expect(text).toContain('Looking … 2 s')
    terminal.out('a line\n')
    expect(text.endsWith('\r\u001b[Ka line\n')).toBe(true)
    work.resolve('done')
    expect(await running).toBe('done')
    expect(clock.sleepers).toBe(0)
  })
})
