/**
 * The executable: hands arguments, environment, streams and signals to the command line, and what
 * only the whole program can do (serve, demo, doctor) with them.
 */
import { runCli, runDemo } from './cli/index.ts'
import { readEnvironment } from './config/index.ts'
import { systemClock, systemRandom } from './kernel/index.ts'

/** Only when it is needed: a command that talks to a server starts in half the time without. */
const loadApp = () => import('./app/index.ts')

const variables = readEnvironment()
const outside = { clock: systemClock, random: systemRandom, variables }
const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const interrupted = new AbortController()
const interrupt = (): void => interrupted.abort()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, interrupt)

process.exitCode = await runCli(process.argv.slice(2), {
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
    await serve(config, { ...outside, reloadConfig, print })
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
for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupt)
