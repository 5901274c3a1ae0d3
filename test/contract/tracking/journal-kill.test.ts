import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../src/kernel/index.ts'
import { createMetrics, createTrackingRecord, openLog } from '../../../src/telemetry/index.ts'
import { createHitMover } from '../../../src/tracking/index.ts'

const WRITER = fileURLToPath(new URL('../../support/hit-writer.ts', import.meta.url))

/** Lets a process journal hits until it has promised so many, kills it, and says which. */
async function killAfter(child: ChildProcess, count: number): Promise<readonly string[]> {
  const ids: string[] = []
  const ended = once(child, 'close')
  if (!child.stdout) throw new Error('no output')
  createInterface({ input: child.stdout }).on('line', (id) => {
    ids.push(id)
    if (ids.length === count) child.kill('SIGKILL')
  })
  await ended
  return ids.filter((id) => id.length === 32)
}

function openMover(directory: string) {
  const log = openLog({ level: 'silent', pretty: false })
  const record = createTrackingRecord({ log, metrics: createMetrics() })
  const arrived: string[] = []
  const mover = createHitMover(
    {
      ...{ clock: systemClock, record },
      deliver: async (hits) => {
        arrived.push(...hits.map(({ id }) => id))
        return hits.length
      },
    },
    { directory, kind: 'hits' },
  )
  return { mover, arrived }
}

async function aFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-killed-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

const notArrived = (promised: readonly string[], arrived: readonly string[]): string[] => {
  const there = new Set(arrived)
  return promised.filter((id) => !there.has(id))
}

describe('every hit that was acknowledged arrives', () => {
  it('when its process is killed, while others read along', async () => {
    const directory = await aFolder()
    const { mover, arrived } = openMover(directory)
    const promised: string[] = []
    for (const count of [1, 400, 1500]) {
      const child = spawn(process.execPath, [WRITER, directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      promised.push(...(await killAfter(child, count)))
    }
    await mover[Symbol.asyncDispose]()
    expect(promised.length).toBeGreaterThanOrEqual(1901)
    expect(notArrived(promised, arrived)).toEqual([])
    expect(await readdir(directory)).toEqual([])
  })

  it('when files take no more in the middle of a write', async () => {
    const directory = await aFolder()
    // Each file ends at 64 KB, wherever that is in a record: the write that meets it fails.
    const limited = `ulimit -f 64; exec "$0" "$@"`
    const child = spawn('bash', ['-c', limited, process.execPath, WRITER, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const promised = await killAfter(child, 2000)
    const { mover, arrived } = openMover(directory)
    await mover[Symbol.asyncDispose]()
    expect(promised.length).toBeGreaterThanOrEqual(2000)
    expect(notArrived(promised, arrived)).toEqual([])
  })
})
