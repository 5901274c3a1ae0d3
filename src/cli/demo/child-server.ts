import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Clock } from '../../kernel/index.ts'
import { DemoError } from './demo-error.ts'

/** A server of another program, run for as long as we need it. */
export interface ChildServer extends AsyncDisposable {
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>
  /** The last lines it wrote, for an error message. */
  output(): string
  readonly hasExited: boolean
}

export interface ChildCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

/**
 * Starts a server that ends with us, however we end: a shell stands between, and kills its child by
 * pid as soon as its standard input closes, which the kernel does for us even after kill -9.
 */
export function startChildServer({ program, args, environment }: ChildCommand): ChildServer {
  const child = spawn('/bin/sh', ['-c', KILL_WHEN_INPUT_CLOSES, 'sh', program, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: environment,
  })
  const exited = once(child, 'exit')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX)
    })
  }
  child.stdin.on('error', () => child.kill())
  child.once('exit', () => child.stdin.destroy())

  const stop = async (): Promise<void> => {
    child.stdin.end()
    if (child.exitCode === null && child.signalCode === null) await exited
  }
  return {
    stop,
    output: () => output,
    get hasExited() {
      return child.exitCode !== null || child.signalCode !== null
    },
    [Symbol.asyncDispose]: stop,
  }
}

const KILL_WHEN_INPUT_CLOSES = `
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
( cat <&3 >/dev/null; kill -9 $child 2>/dev/null ) >/dev/null 2>&1 &
exec 3<&-
wait $child
`

/** Enough to see why a server did not start. */
const OUTPUT_CHARACTERS_MAX = 4_000

export interface Attempt<Server> {
  /** What to try, on ports that were free a moment ago. */
  readonly start: (
    ports: readonly number[],
  ) => Promise<{ readonly server: ChildServer; readonly value: Server }>
  readonly portCount: number
  /** Is it answering? */
  readonly isReady: (value: Server) => Promise<boolean>
  readonly clock: Clock
}

/**
 * Starts a server on free ports and waits until it answers. Between finding a port and using it
 * another program may take it, so a server that dies at once is tried again elsewhere.
 */
export async function startOnFreePorts<Server>({
  start,
  portCount,
  isReady,
  clock,
}: Attempt<Server>): Promise<{ readonly server: ChildServer; readonly value: Server }> {
  let lastOutput = ''
  for (let attempt = 0; attempt < START_ATTEMPTS_MAX; attempt += 1) {
    const started = await start(await freePorts(portCount))
    if (await becomesReady(started, isReady, clock)) return started
    await started.server.stop()
    lastOutput = started.server.output()
  }
  const lastLine = lastOutput.trim().split('\n').at(-1) ?? ''
  throw new DemoError('demo/server-did-not-start', `A server did not start: ${lastLine}`)
}

const START_ATTEMPTS_MAX = 4
const READY_MS_MAX = 15_000
const READY_POLL_MS = 20

async function becomesReady<Server>(
  { server, value }: { readonly server: ChildServer; readonly value: Server },
  isReady: (value: Server) => Promise<boolean>,
  clock: Clock,
): Promise<boolean> {
  const deadline = clock.monotonicMs() + READY_MS_MAX
  while (clock.monotonicMs() < deadline && !server.hasExited) {
    if (await isReady(value)) return true
    await clock.sleep(READY_POLL_MS)
  }
  return false
}

/** Ports on 127.0.0.1 that nobody listens on now; held together, so that they differ. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  const ports: number[] = []
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening')
    const address = server.address()
    if (typeof address === 'object' && address !== null) ports.push(address.port)
  }
  for (const server of servers) {
    server.close()
    await once(server, 'close')
  }
  return ports
}
