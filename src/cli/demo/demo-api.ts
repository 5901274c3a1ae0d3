import type { z } from 'zod'
import { hostSchema, type WireHost } from '../../api/native/contract.ts'
import type { Clock, Redacted } from '../../kernel/index.ts'
import { DemoError } from './demo-error.ts'

/** The running Postern, as a stranger sees it. */
export interface DemoServer extends AsyncDisposable {
  readonly httpsPort: number
  readonly apiUrl: string
  readonly adminKey: Redacted<string>
}

/** Locally it takes a quarter of a second; a minute means that something is wrong. */
const STORY_MS_MAX = 60_000
const LOOK_EVERY_MS = 10

/** One call of the native API; a body makes it a POST. */
export async function callApi<Schema extends z.ZodType>(
  { apiUrl, adminKey }: DemoServer,
  path: string,
  schema: Schema,
  body?: object,
): Promise<z.output<Schema>> {
  const answer = await fetch(`${apiUrl}/api/v1${path}`, {
    headers: { authorization: `Bearer ${adminKey.reveal()}`, 'content-type': 'application/json' },
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(STORY_MS_MAX),
  })
  const said: unknown = await answer.json()
  if (!answer.ok) {
    throw new DemoError('demo/not-as-promised', `${path}: ${answer.status} ${JSON.stringify(said)}`)
  }
  return schema.parse(said)
}

/** Looks at a host until something is so of it; throws when that takes a minute. */
export async function hostWhen(
  {
    server,
    clock,
    host,
  }: { readonly server: DemoServer; readonly clock: Clock; readonly host: string },
  isSo: (host: WireHost) => boolean,
  signal: AbortSignal,
): Promise<WireHost> {
  const deadline = clock.monotonicMs() + STORY_MS_MAX
  for (;;) {
    const seen = await callApi(server, `/hosts/${host}`, hostSchema)
    if (isSo(seen)) return seen
    if (clock.monotonicMs() > deadline) {
      const why = seen.reason?.sentence ?? 'no reason given'
      throw new DemoError('demo/not-as-promised', `${host} is still ${seen.state}: ${why}`)
    }
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}
