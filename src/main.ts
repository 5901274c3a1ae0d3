/**
 * The executable: hands arguments, environment, streams and signals to the command line, and what
 * only the whole program can do (serve, demo, doctor) with them.
 */
import { spawnWorker } from './app/fleet/worker-process.ts'

/** The first SIGINT or SIGTERM asks; a second one gets the system's own answer. */
const interrupted = new AbortController()
const interrupt = (signal: NodeJS.Signals): void => interrupted.abort(signal)
const SIGNALS = ['SIGINT', 'SIGTERM'] as const
for (const signal of SIGNALS) process.once(signal, interrupt)

// Whoever read the log, or the output, is gone: no reason to stop serving.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

const argv = process.argv.slice(2)
const { readEnvironment } = await import('./config/index.ts')
const variables = readEnvironment()
/** Most of a start is loading sources: the first worker does it while the rest is loaded here. */
const early = argv[0] === 'serve' ? spawnWorker(variables) : undefined

const { runCli, runDemo } = await import('./cli/index.ts')
const { systemClock, systemRandom } = await import('./kernel/index.ts')

/** Only when it is needed: a command that talks to a server starts in half the time without. */
const loadApp = () => import('./app/index.ts')

const outside = { clock: systemClock, random: systemRandom, variables }
const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await runCli(argv, {
  cwd: process.cwd(),
  environment: variables,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  fetch,
  signal: interrupted.signal,
  serve: async (config, reloadConfig) => {
    const { serve } = await loadApp()
    await serve(config, { ...outside, early, reloadConfig, print }, interrupted.signal)
  },
  demo: async (options) => {
    const { startDemoServer } = await loadApp()
    await runDemo(
      {
        clock: systemClock,
        environment: variables,
        print,
        startServer: (how) => startDemoServer(how, outside),
      },
      options,
      interrupted.signal,
    )
  },
  dataDirectory: async (config) => {
    const { dataDirectoryOf } = await import('./app/data-directory.ts')
    return dataDirectoryOf(config)
  },
  doctorChecks: async (config) => (await loadApp()).loadDoctorChecks(config, outside),
})
for (const signal of SIGNALS) process.off(signal, interrupt)
early?.kill()
