import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { explainConfig, isSwitch, listSettings, loadConfig } from '../../../src/config/index.ts'

let cwd: string
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'postern-config-'))
})
afterEach(() => rm(cwd, { recursive: true }))

interface Given {
  readonly yaml?: string
  readonly environment?: Record<string, string>
  readonly flags?: Record<string, string>
  readonly file?: string
}

async function load({ yaml, environment = {}, flags = {}, file }: Given = {}) {
  if (yaml !== undefined) await writeFile(join(cwd, file ?? 'postern.yaml'), yaml)
  return loadConfig({
    cwd,
    file,
    environment: { names: () => Object.keys(environment), read: (name) => environment[name] },
    flags: new Map(Object.entries(flags)),
  })
}

describe('loadConfig', () => {
  it('needs nothing: every part has defaults', async () => {
    const { config } = await load()
    expect(config.api.listen).toEqual({ host: '127.0.0.1', port: 8025 })
    expect(config.log.level).toBe('info')
  })

  it('lets flags win over the environment, and the environment over the file', async () => {
    const yaml = 'log: { level: debug }\napi.listen: ":1"'
    const environment = { POSTERN_LOG_LEVEL: 'warn', POSTERN_API_LISTEN: ':2' }
    const { config, settings } = await load({ yaml, environment, flags: { 'log.level': 'error' } })
    expect(config.log.level).toBe('error')
    expect(config.api.listen.port).toBe(2)
    const sources = Object.fromEntries(
      explainConfig(settings).map((each) => [each.key, each.source]),
    )
    expect(sources['log.level']).toBe('flag --log.level')
    expect(sources['api.listen']).toBe('environment POSTERN_API_LISTEN')
    expect(sources['log.pretty']).toBe('default')
  })

  it.each([
    ['nested', 'api:\n  listen: "[::1]:80"'],
    ['dotted', 'api.listen: "[::1]:80"'],
    ['a list where a text with commas is meant', 'api:\n  listen: ["[::1]:80"]'],
  ])('reads keys that are %s', async (_, yaml) => {
    const { config } = await load({ yaml })
    expect(config.api.listen).toEqual({ host: '::1', port: 80 })
  })

  it('reads settings that differ between CAs as a map or as text, and hides the secret ones', async () => {
    const yaml = [
      'acme:',
      '  ca: [letsencrypt, zerossl]',
      '  eab: { zerossl: "kid:c2VjcmV0" }',
      '  limits: { letsencrypt: { orders-per-account: 3000/3h } }',
    ].join('\n')
    const asMap = await load({ yaml })
    const asText = await load({
      flags: {
        'acme.ca': 'letsencrypt,zerossl',
        'acme.eab': 'zerossl=kid:c2VjcmV0',
        'acme.limits': 'letsencrypt.orders-per-account=3000/3h',
      },
    })
    expect(asMap.config.acme).toEqual(asText.config.acme)
    for (const { settings } of [asMap, asText]) {
      expect(JSON.stringify(explainConfig(settings))).not.toContain('c2VjcmV0')
    }
    const bad = load({ yaml: 'acme.eab: { zerossl: c2VjcmV0 }' })
    await expect(bad).rejects.toThrow(/^acme\.eab is \[hidden\] .*not of the form kid:hmac/)
  })

  it('hides the key that the edge shares with a backend, and wants one that cannot be guessed', async () => {
    const { settings } = await load({ flags: { 'edge.visitorFactsKey': 'k3y'.repeat(11) } })
    expect(JSON.stringify(explainConfig(settings))).not.toContain('k3y')
    const bad = load({ flags: { 'edge.visitorFactsKey': 'k3y' } })
    await expect(bad).rejects.toThrow(/^edge\.visitorFactsKey is \[hidden\]/)
  })

  it.each(['', '# nothing yet', 'api:', 'api:\n  listen:'])(
    'takes %j for no settings',
    async (yaml) => {
      expect((await load({ yaml })).config.api.listen.port).toBe(8025)
    },
  )

  it('reads the file that --config names', async () => {
    const { config } = await load({ yaml: 'log.level: silent', file: 'other.yaml' })
    expect(config.log.level).toBe('silent')
  })

  it('reads on and off from text, as environment and flags only have text', async () => {
    expect((await load({ flags: { 'log.pretty': 'yes' } })).config.log.pretty).toBe(true)
    expect((await load({ flags: { 'log.pretty': 'false' } })).config.log.pretty).toBe(false)
    expect((await load({ yaml: 'log.pretty: true' })).config.log.pretty).toBe(true)
  })

  it('counts an empty variable as none, and leaves the client and foreign variables alone', async () => {
    const environment = {
      POSTERN_LOG_LEVEL: '',
      POSTERN_API_URL: 'x',
      POSTERN_API_KEY: 'y',
      HOME: '/',
    }
    expect((await load({ environment })).config.log.level).toBe('info')
  })
})

describe('what loadConfig refuses', () => {
  it.each<[string, Given, Record<string, unknown>]>([
    [
      'an unknown key in the file, with line and nearest name',
      { yaml: 'log:\n  levle: info' },
      {
        code: 'config/unknown-key',
        message: /log\.levle .*postern\.yaml line 2/,
        fix: /log\.level\?/,
      },
    ],
    [
      'an unknown variable',
      { environment: { POSTERN_API_LISTENS: 'x' } },
      { code: 'config/unknown-key', message: /POSTERN_API_LISTENS/, fix: /POSTERN_API_LISTEN\?/ },
    ],
    [
      'an unknown flag',
      { flags: { 'api.port': '1' } },
      { code: 'config/unknown-key', message: /flag --api\.port/, fix: /./ },
    ],
    [
      'a name like nothing we have',
      { flags: { 'x.y': '1' } },
      { code: 'config/unknown-key', message: /x\.y/, fix: /config explain/ },
    ],
    [
      'a bad value, with its place and what is expected',
      { environment: { POSTERN_API_LISTEN: 'nowhere' } },
      {
        code: 'config/bad-value',
        message: /api\.listen is nowhere \(environment POSTERN_API_LISTEN\): not an address/,
        fix: /host:port/,
      },
    ],
    [
      'a port that does not exist',
      { flags: { 'api.listen': ':65536' } },
      { code: 'config/bad-value', message: /not an address/, fix: /./ },
    ],
    [
      'a value given twice in two forms',
      { yaml: 'log.level: info\nlog:\n  level: warn' },
      { code: 'config/given-twice', message: /line 1 and postern\.yaml line 3/, fix: /Remove/ },
    ],
    [
      'what is not YAML',
      { yaml: 'log: [' },
      { code: 'config/unreadable', message: /postern\.yaml line 1/, fix: /Correct it/ },
    ],
    [
      'a file that is no mapping',
      { yaml: 'hello' },
      { code: 'config/unreadable', message: /no settings/, fix: /./ },
    ],
    [
      'a file that is not there',
      { file: 'missing.yaml' },
      { code: 'config/unreadable', message: /missing\.yaml/, fix: /--config/ },
    ],
  ])('%s', async (_, given, { code, message, fix }) => {
    const error = await load(given).then(
      () => undefined,
      (thrown: unknown) => thrown as Error & { code: string; fix: string },
    )
    expect(error?.code).toBe(code)
    expect(error?.message).toMatch(message as RegExp)
    expect(error?.fix).toMatch(fix as RegExp)
  })
})

describe('the settings', () => {
  it('all say what they are for', () => {
    for (const { key, description } of listSettings()) expect(description, key).not.toBe('')
  })

  it('know which of them are on or off', () => {
    expect(isSwitch('log.pretty')).toBe(true)
    expect(isSwitch('log.level')).toBe(false)
    expect(isSwitch('api.listen')).toBe(false)
    expect(isSwitch('no.such')).toBe(false)
  })
})
