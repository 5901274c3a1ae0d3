import type { Config, EnvironmentVariables } from '../config/index.ts'
import type { Clock } from '../kernel/index.ts'
import type { DoctorCheck } from './doctor/doctor-check.ts'
import type { TextSource } from './input.ts'
import type { TextSink } from './output/terminal.ts'

/** What the command line is given by `main`: the outside world, and what `app` can do. */
export interface CliPorts {
  readonly cwd: string
  readonly environment: EnvironmentVariables
  readonly stdin: TextSource
  readonly stdout: TextSink
  readonly stderr: TextSink
  readonly clock: Clock
  readonly fetch: typeof fetch
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** Runs the server until it is told to end. `reloadConfig` reads all sources again. */
  readonly serve: (config: Config, reloadConfig: () => Promise<Config>) => Promise<void>
  readonly demo: (options: DemoOptions) => Promise<void>
  /** The folder with `admin.key` and `running.json` of a server with this configuration. */
  readonly dataDirectory: (config: Config) => Promise<string>
  readonly doctorChecks: (config: Config) => Promise<readonly DoctorCheck[]>
}

export interface DemoOptions {
  /** Leave everything running until Ctrl-C. */
  readonly keep: boolean
  /** Show a renewal under traffic, too. */
  readonly renew: boolean
  /** Print JSON for programs. */
  readonly json: boolean
}
