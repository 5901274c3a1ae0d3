import { loadConfig } from '../config/index.ts'
import type { Redacted } from '../kernel/index.ts'
import { type Environment, startApp } from './app.ts'

/** A server for one run, in this process: what the demo shows. */
export interface DemoServer extends AsyncDisposable {
  readonly httpsPort: number
  readonly apiUrl: string
  readonly adminKey: Redacted<string>
}

export interface DemoServerSettings {
  readonly settings: ReadonlyMap<string, string>
  /** Where it looks for `postern.yaml`: a folder of its own, so that nobody's is found. */
  readonly cwd: string
}

/** Starts a server with these settings and no others: nothing comes from the environment. */
export async function startDemoServer(
  { settings, cwd }: DemoServerSettings,
  environment: Environment,
): Promise<DemoServer> {
  const nothing = { names: () => [], read: () => undefined }
  const { config } = await loadConfig({ cwd, environment: nothing, flags: settings })
  const app = await startApp(config, environment)
  return {
    httpsPort: app.httpsPort,
    apiUrl: app.listening.api,
    adminKey: app.adminKey,
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}
