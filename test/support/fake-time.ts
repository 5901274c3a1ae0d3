import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { debianFile } from './debian-file.ts'

/** A wall clock for a child process that can be stepped while it runs; timers go on as ever. */
export interface FakeTime extends AsyncDisposable {
  /** For the child's environment. */
  readonly env: Readonly<Record<string, string>>
  /** Sets the clock to so much before or after the real time: `+90d`, `-1h`, `+0`. */
  stepTo(offset: string): Promise<void>
}

const INSTALLED = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`

/** Finds libfaketime, installed or in Debian's package; `undefined` where there is neither. */
export async function findFakeTime(): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  const isInstalled = await access(INSTALLED).then(
    () => true,
    () => false,
  )
  return isInstalled ? INSTALLED : debianFile('libfaketime', INSTALLED.slice(1))
}

export async function openFakeTime(library: string): Promise<FakeTime> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-time-'))
  const file = join(folder, 'offset')
  const stepTo = (offset: string) => writeFile(file, `${offset}\n`)
  await stepTo('+0')
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    stepTo,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
