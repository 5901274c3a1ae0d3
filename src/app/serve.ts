import type { Config } from '../config/index.ts'
import { type Environment, startApp } from './app.ts'

export interface ServeDeps extends Environment {
  /** Reads the configuration again, from wherever it came. */
  readonly reloadConfig: () => Promise<Config>
  readonly print: (line: string) => void
}

/** Runs the server until SIGTERM or SIGINT, then drains it. A second signal ends it at once. */
export async function serve(config: Config, deps: ServeDeps): Promise<void> {
  await using app = await startApp(config, deps)
  const { http, https, api } = app.listening
  deps.print(`Postern serves http on ${http}, https on ${https}, and its API on ${api}`)

  const reload = (): void => {
    deps.reloadConfig().then(app.reload, (error: unknown) => app.record.reloadRefused({ error }))
  }
  process.on('SIGHUP', reload)
  const because = await untilSignalled(['SIGTERM', 'SIGINT'])
  process.off('SIGHUP', reload)
  app.record.stopping({ because })
}

/** Takes the handlers away again, so that the system's own answer the next signal. */
async function untilSignalled(signals: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  for (const signal of signals) process.on(signal, resolve)
  const received = await promise
  for (const signal of signals) process.off(signal, resolve)
  return received
}
