import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { type Core, onCore } from '../support/cores.ts'

/** A program that runs beside the bench, until it is disposed of. */
export interface ChildProgram extends AsyncDisposable {
  readonly pid: number
  /** When it was started, by `performance.now()`. */
  readonly startedAtMs: number
  /** What it wrote to stderr, for when it does not work. */
  complaints(): string
}

export interface ProgramOptions {
  readonly core?: Core
  readonly env?: Readonly<Record<string, string>>
}

const COMPLAINT_CHARACTERS_MAX = 4_000
/** A reload of ten thousand certificates takes nginx half a minute. */
const LISTENS_MS_MAX = 120_000

/** Starts a program whose only configuration is on its command line and in `env`. */
export function startProgram(
  program: string,
  args: readonly string[],
  { core, env = {} }: ProgramOptions = {},
): ChildProgram {
  const [command, words] = core ? onCore(core, program, args) : [program, args]
  const startedAtMs = performance.now()
  const child = spawn(command, words, {
    // Backends end with their standard input, so that none outlives a bench that was killed.
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  })
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk.toString()}`.slice(-COMPLAINT_CHARACTERS_MAX)
  })
  child.once('error', (error) => {
    complaints += error.message
  })
  return {
    pid: child.pid ?? 0,
    startedAtMs,
    complaints: () => complaints,
    [Symbol.asyncDispose]: () => end(child),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const impatience = setTimeout(() => child.kill('SIGKILL'), 3_000)
  await gone
  clearTimeout(impatience)
}

/** Resolves when somebody listens on the port. Throws with the program's own words if nobody does. */
export async function untilListens(port: number, program: ChildProgram): Promise<void> {
  const deadline = performance.now() + LISTENS_MS_MAX
  while (!(await accepts(port))) {
    if (performance.now() > deadline || !isAlive(program.pid)) {
      throw new Error(`It does not listen: ${program.complaints()}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      settle(true)
    })
    socket.once('error', () => settle(false))
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
