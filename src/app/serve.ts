import type { Config } from '../config/index.ts'
import { type Environment, startApp } from './app.ts'

export interface ServeDeps extends Environment {
  /** Reads the configuration again, from wherever it came. */
  readonly reloadConfig: () => Promise<Config>
  readonly print: (line: string) => void
}

/**
 * Runs the server until the signal, then drains it. One that comes during the start is obeyed as
 * soon as that is through. SIGHUP reads configuration and keys again, one time after the other.
 */
export async function serve(config: Config, deps: ServeDeps, signal: AbortSignal): Promise<void> {
  // From the first moment to the last: without a handler SIGHUP would end the process.
  let reload = (): void => undefined
  process.on('SIGHUP', () => reload())

  await using app = await startApp(config, deps)
  const { http, https, api } = app.listening
  deps.print(`Postern serves http on ${http}, https on ${https}, and its API on ${api}`)
  let reloading = Promise.resolve()
  reload = () => {
    reloading = reloading
      .then(async () => app.reload(await deps.reloadConfig()))
      .catch((error: unknown) => app.record.reloadRefused({ error }))
  }
  await untilAborted(signal)
  reload = () => undefined
  app.record.stopping({ because: String(signal.reason) })
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  if (!signal.aborted) await promise
}
