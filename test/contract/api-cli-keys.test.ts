import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KeysPort } from '../../src/api/index.ts'
import { systemClock } from '../../src/kernel/index.ts'
import { ADMIN_KEY, startTestApi, type TestApi } from '../support/api-server.ts'
import { type CliWorld, cli } from '../support/cli.ts'

const AT = new Date('2026-11-22T12:00:00Z')
const SOURCE = 'file:/etc/postern/master.key'

type KeysView = Awaited<ReturnType<KeysPort['status']>>
type Rotation = NonNullable<KeysView['rotation']>

function aRotation(more: Partial<Rotation> = {}): Rotation {
  return {
    ...{ toKeyId: 'new', startedAt: AT, updatedAt: AT, finishedAt: undefined },
    ...{ total: 4000, done: 1000, left: 3000, unreadable: 0, retireOld: false },
    ...{ waitsFor: undefined, problem: undefined },
    ...more,
  }
}

const half: KeysView = {
  keys: [
    { keyId: 'new', use: 'seals', secrets: 1000, source: SOURCE },
    { keyId: 'old', use: 'opens', secrets: 3000, source: SOURCE },
  ],
  rotation: aRotation(),
}
const ended: KeysView = {
  keys: [
    { keyId: 'new', use: 'seals', secrets: 4000, source: SOURCE },
    { keyId: 'old', use: 'retired', secrets: 0, source: SOURCE },
  ],
  rotation: aRotation({ finishedAt: AT, done: 4000, left: 0 }),
}

let api: TestApi
let steps: KeysView[]
let wishes: object[]
let outcome: Awaited<ReturnType<KeysPort['rotate']>>
beforeEach(async () => {
  steps = [half, half, ended]
  wishes = []
  outcome = { kind: 'begun' }
  api = await startTestApi({
    keys: {
      status: async () => (steps.length > 1 ? steps.shift() : steps[0]) ?? ended,
      rotate: async (wish) => {
        wishes.push(wish)
        return outcome
      },
    },
  })
})
afterEach(() => api[Symbol.asyncDispose]())

const postern = (args: readonly string[], world: CliWorld = {}) =>
  cli([...args, '--url', api.url, '--key', ADMIN_KEY], {
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 50, signal) },
    ...world,
  })

describe('key status', () => {
  it('shows what rests under which key, and how far a rotation is', async () => {
    const { stdout } = await postern(['key', 'status'])
    expect(stdout).toMatch(/^KEY +USE +SECRETS +FROM\nnew +seals and opens +1,000 +file:/)
    expect(stdout).toMatch(/\nold +opens +3,000 +file:/)
    expect(stdout).toMatch(/\nRotation to new: \[██████░{18}\] {2}25 % {2}1,000 of 4,000\n$/)
  })

  it('says what a rotation waits for, which key is missing, and how the last one ended', async () => {
    steps = [{ ...half, rotation: aRotation({ waitsFor: 'mx-2/77 must hold key new first.' }) }]
    expect((await postern(['key', 'status'])).stdout).toMatch(/It waits: mx-2\/77 must hold/)
    const missing = { keyId: 'lost', use: 'missing', secrets: 2, source: undefined } as const
    const rotation = aRotation({ finishedAt: AT, unreadable: 2, problem: 'Disk full.' })
    steps = [{ keys: [...ended.keys, missing], rotation }]
    const { stdout } = await postern(['key', 'status'])
    expect(stdout).toMatch(/lost +MISSING: secrets need it +2 +not at hand/)
    expect(stdout).toMatch(/Last rotation, to new: ended 2026-11-22T12:00:00\.000Z\./)
    expect(stdout).toMatch(/2 secrets do not open with any key.*\nDisk full\.\n$/)
  })

  it('is JSON for programs', async () => {
    expect((await postern(['key', 'status', '--json'])).json()).toMatchObject({
      keys: [{ keyId: 'new', current: true, use: 'seals', secrets: 1000, source: SOURCE }, {}],
      rotation: { toKeyId: 'new', done: 1000, left: 3000, finishedAt: null },
    })
  })
})

describe('key rotate', () => {
  it('follows to the end and says what is to be done then', async () => {
    const end = await postern(['key', 'rotate'])
    expect(end).toMatchObject({ code: 0 })
    expect(end.stdout).toMatch(/^4,000 secrets rest under key new now\.\n/)
    expect(end.stdout).toMatch(/Copy \/etc\/postern\/master\.key to where you keep the copy/)
    expect(end.stdout).toMatch(/old: only backups made before need it.*--retire-old/)
    expect(wishes).toEqual([{ retireOld: false }])
  })

  it('prints one line of JSON for each step', async () => {
    const end = await postern(['key', 'rotate', '--retire-old', '--json'])
    const lines = end.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toMatchObject([
      { outcome: 'begun', rotation: { done: 1000, finishedAt: null } },
      { outcome: 'begun', rotation: { done: 4000, finishedAt: AT.toISOString() } },
    ])
    expect(wishes).toEqual([{ retireOld: true }])
  })

  it('draws a bar on a terminal while it takes its time', async () => {
    steps = [half, ...Array.from({ length: 12 }, () => half), ended]
    let drawn = ''
    const stderr = { isTTY: true, write: (text: string) => (drawn += text) }
    const clock = {
      ...systemClock,
      monotonicMs: () => systemClock.monotonicMs() * 50,
      sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 50, signal),
    }
    await postern(['key', 'rotate'], { stderr, clock })
    expect(drawn).toMatch(/Moving secrets \[██████░+\] {2}25 % {2}1,000 of 4,000 … \d+ s/)
  })

  it('tells what it waits for, once', async () => {
    const waiting = { ...half, rotation: aRotation({ waitsFor: 'mx-2 must hold it first.' }) }
    steps = [waiting, waiting, waiting, ended]
    const { stderr } = await postern(['key', 'rotate'])
    expect(stderr.match(/It waits: mx-2 must hold it first\.\n/g)).toHaveLength(1)
  })

  it('need not be waited for', async () => {
    const end = await postern(['key', 'rotate', '--no-wait'])
    expect(end.stdout).toBe('Secrets move to key new. How far: postern key status\n')
  })

  it('says so when there is nothing to do', async () => {
    outcome = { kind: 'nothing-to-do' }
    steps = [ended]
    const end = await postern(['key', 'rotate'])
    expect(end.code).toBe(0)
    expect(end.stdout).toMatch(/^All secrets rest under key new already\.\n.*--retire-old\n$/)
  })

  it('fails when something was left behind', async () => {
    steps = [half, { ...ended, rotation: aRotation({ finishedAt: AT, unreadable: 3 }) }]
    const end = await postern(['key', 'rotate'])
    expect(end.code).toBe(1)
    expect(end.stdout).toMatch(/3 secrets do not open with any key and stay as they are/)
  })

  it.each([
    ['keys/node-lacks-key', 5],
    ['keys/no-new-key', 2],
  ] as const)('is refused with %s, the sentence and the fix', async (code, exit) => {
    outcome = { kind: 'refused', refusal: { code, sentence: 'Not so.', fix: 'Do this.' } }
    const end = await postern(['key', 'rotate'])
    expect(end).toMatchObject({ code: exit, stderr: 'postern: Not so.\n  Do this.\n' })
  })

  it('goes on in the server when nobody follows any more', async () => {
    const stopping = new AbortController()
    steps = [half]
    const ending = postern(['key', 'rotate'], { signal: stopping.signal })
    setTimeout(() => stopping.abort(), 200)
    const end = await ending
    expect(end.code).toBe(1)
    expect(end.stderr).toMatch(
      /^The rotation goes on in the server; how far: postern key status\n/m,
    )
  })
})
