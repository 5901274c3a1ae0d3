import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** The shipped program, started as anybody would: `bin/postern serve`, told by environment. */
export interface RunningPostern extends AsyncDisposable {
  readonly child: ChildProcess
  readonly httpPort: number
  readonly httpsPort: number
  readonly apiUrl: string
  /** Data directory: start there again to go on with the same hosts and keys. */
  readonly directory: string
  /** The local administration key. */
  readonly adminKey: string
  output(): string
  /** SIGTERM, and how it ended. */
  stop(): Promise<PosternEnd>
  /** kill -9, workers included only in so far as they notice by themselves. */
  kill(): Promise<void>
  /** Calls the native API with the administration key. */
  api(
    path: string,
    init?: { readonly method?: string; readonly body?: unknown },
  ): Promise<ApiAnswer>
}

export interface ApiAnswer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape.
  readonly body: any
}

export interface PosternEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
  readonly stdout: string
  readonly ms: number
}

export const BIN = resolve(import.meta.dirname, '../../bin/postern')

/** `edge.http` → `POSTERN_EDGE_HTTP`. */
export type Settings = Readonly<Record<string, string | number | boolean>>

function settingsToEnvironment(settings: Settings): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      `POSTERN_${name.replace('.', '_').toUpperCase()}`,
      String(value),
    ]),
  )
}

export async function makeDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'postern-'))
}

/** Runs one command to its end. */
export async function runPostern(
  args: readonly string[],
  settings: Settings = {},
  { cwd, env = {} }: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<PosternEnd> {
  const started = performance.now()
  const child = spawn(BIN, args, {
    cwd: cwd ?? tmpdir(),
    env: { ...cleanEnvironment(), ...settingsToEnvironment(settings), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
    output += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk
  })
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((settle) => {
    child.once('close', (...end) => settle(end))
  })
  return { code, signal, output, stdout, ms: performance.now() - started }
}

export interface StartOptions {
  readonly settings?: Settings
  readonly directory?: string
  readonly env?: Record<string, string>
  /** Another server's directory, whose master key this one shares. */
  readonly keyOf?: string
  /** A program that becomes it, or watches it: `prlimit --nofile=256`. */
  readonly through?: readonly string[]
}

/** Starts the server on free ports and waits until it is ready. */
export async function startPostern(options: StartOptions = {}): Promise<RunningPostern> {
  const ownDirectory = options.directory === undefined
  const directory = options.directory ?? (await makeDirectory())
  const settings = {
    'store.url': `sqlite:${directory}/postern.sqlite`,
    'vault.key': `file:${options.keyOf ?? directory}/master.key`,
    'edge.http': '127.0.0.1:0',
    'edge.https': '127.0.0.1:0',
    'api.listen': '127.0.0.1:0',
    'log.pretty': 'false',
    ...options.settings,
  }
  const [program = BIN, ...args] = [...(options.through ?? []), BIN, 'serve']
  const child = spawn(program, args, {
    cwd: directory,
    env: { ...cleanEnvironment(), ...settingsToEnvironment(settings), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const closed = new Promise<[number | null, NodeJS.Signals | null]>((settle) => {
    child.once('close', (...end) => settle(end))
  })
  const line = await new Promise<StartedLine>((ready, fail) => {
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk
    })
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk
      const started = STARTED.exec(output)?.groups
      if (started) ready(started as unknown as StartedLine)
    })
    void closed.then(([code]) => fail(new Error(`postern ended with ${code}:\n${output}`)))
  })
  const adminKey = (
    await readFile(join(dataDirectoryOf(directory, settings['store.url']), 'admin.key'), 'utf8')
  ).trim()

  const stop = async (): Promise<PosternEnd> => {
    const from = performance.now()
    child.kill('SIGTERM')
    const [code, signal] = await closed
    return { code, signal, output, stdout: output, ms: performance.now() - from }
  }
  return {
    child,
    httpPort: portOf(line.http),
    httpsPort: portOf(line.https),
    apiUrl: line.api,
    directory,
    adminKey,
    output: () => output,
    stop,
    kill: async () => {
      child.kill('SIGKILL')
      await closed
    },
    api: (path, init) => callApi(line.api, adminKey, path, init),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) await stop()
      if (ownDirectory) await rm(directory, { recursive: true, force: true })
    },
  }
}

/** As the README says: beside the SQLite file, else below the folder it was started in. */
function dataDirectoryOf(directory: string, storeUrl: Settings[string] | undefined): string {
  return String(storeUrl).startsWith('sqlite:') ? directory : join(directory, 'certs-store/data')
}

/** What the server prints once it serves. */
const STARTED =
  /^Postern serves http on (?<http>\S+), https on (?<https>\S+), and its API on (?<api>\S+)$/m

interface StartedLine {
  readonly http: string
  readonly https: string
  readonly api: string
}

async function callApi(
  url: string,
  key: string,
  path: string,
  { method = 'GET', body }: { readonly method?: string; readonly body?: unknown } = {},
): Promise<ApiAnswer> {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
}

function portOf(address: string): number {
  return Number(address.split(',')[0]?.split(':').at(-1))
}

/** This process's environment without what would configure Postern. */
function cleanEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !entry[0].startsWith('POSTERN_') && entry[0] !== 'NODE_OPTIONS',
    ),
  )
}

/** Asks again until it is so, or says what was seen last. */
export async function eventually<Value>(
  look: () => Promise<Value>,
  isSo: (value: Value) => boolean,
  msMax = 20_000,
): Promise<Value> {
  const deadline = performance.now() + msMax
  for (;;) {
    const value = await look()
    if (isSo(value)) return value
    if (performance.now() > deadline) {
      throw new Error(`Not so after ${msMax} ms; last seen: ${JSON.stringify(value)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
