import { Buffer } from 'node:buffer'
import { type CliPorts, runCli } from '../../src/cli/index.ts'
import { systemClock } from '../../src/kernel/index.ts'

export interface CliEnd {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into results of any shape
  json(): any
}

export interface CliWorld extends Partial<Omit<CliPorts, 'environment' | 'stdin'>> {
  readonly environment?: Record<string, string>
  readonly stdin?: string
  /** What somebody types at a terminal, chunk by chunk; without it there is none. */
  readonly typed?: readonly string[]
}

/** Runs one command line in this process, and returns what a shell would see. */
export async function cli(args: readonly string[], world: CliWorld = {}): Promise<CliEnd> {
  const { environment: variables = {}, stdin = '', typed, ...ports } = world
  let stdout = ''
  let stderr = ''
  const code = await runCli(args, {
    cwd: '/nonexistent',
    environment: {
      names: () => Object.keys(variables),
      read: (name) => variables[name],
      take: (name) => variables[name],
    },
    stdin: typed ? aTerminal(typed) : textSource([stdin]),
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    clock: systemClock,
    fetch,
    signal: new AbortController().signal,
    serve: () => Promise.reject(new Error('not in this test')),
    demo: () => Promise.reject(new Error('not in this test')),
    dataDirectory: async () => '/nonexistent',
    doctorChecks: async () => [],
    ...ports,
  })
  return { code, stdout, stderr, json: () => JSON.parse(stdout) }
}

function textSource(chunks: readonly string[]) {
  return (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk)
  })()
}

function aTerminal(typed: readonly string[]): CliPorts['stdin'] {
  return Object.assign(textSource(typed), { isTTY: true, setRawMode: () => undefined })
}
