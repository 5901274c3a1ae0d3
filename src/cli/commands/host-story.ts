import {
  historyPageSchema,
  hostSchema,
  type WireHistoryEntry,
  type WireHost,
} from '../../api/native/contract.ts'
import { type Clock, type Duration, formatDuration } from '../../kernel/index.ts'
import type { ApiClient } from '../client/api-client.ts'
import { CliError, RemoteError } from '../errors.ts'
import { toElapsed } from '../output/instant.ts'

interface StoryDeps {
  readonly client: ApiClient
  readonly clock: Clock
  readonly signal: AbortSignal
  /** One line of the story, ready to print. */
  readonly tell: (line: string) => void
}

/** Locally a certificate takes a quarter of a second: look often at first, then calmly. */
const FIRST_PAUSE_MS = 50
const PAUSE_GROWTH = 1.3
const PAUSE_MS_MAX = 1000
/** The server keeps no more steps of a host. */
const HISTORY_ENTRIES_MAX = 1000

/** The steps that a host had taken so far, so that its story is told from here on. */
export async function stepsSoFar(client: ApiClient, host: string): Promise<ReadonlySet<string>> {
  try {
    return new Set((await historyOf(client, host)).map(identityOf))
  } catch (error) {
    if (error instanceof RemoteError && error.code === 'hosts/not-found') return new Set()
    throw error
  }
}

/**
 * Tells each step of a host until mail may link to it with https. A reason that needs the customer
 * is told when it changes, and the waiting goes on. Throws 'cli/timeout' with the last reason.
 */
export async function followHost(
  { client, clock, signal, tell }: StoryDeps,
  host: string,
  { known, timeout }: { readonly known: ReadonlySet<string>; readonly timeout: Duration },
): Promise<WireHost> {
  const startedMs = clock.monotonicMs()
  const told = new Set(known)
  let storyBegan: number | undefined
  let advice: string | undefined
  let pauseMs = FIRST_PAUSE_MS
  for (;;) {
    // State before history: a step that came in between is told once more round, never lost.
    const now = await client.call({ path: pathOf(host), answer: hostSchema })
    for (const entry of await historyOf(client, host)) {
      if (told.has(identityOf(entry))) continue
      told.add(identityOf(entry))
      const at = new Date(entry.at).getTime()
      storyBegan ??= at
      tell(`${toElapsed(at - storyBegan)}  ${entry.step}: ${entry.sentence}`)
    }
    if (now.state === 'active' && now.httpsSafe) return now
    if (now.reason && now.reason.fix !== advice) tell(`${INDENT}to do: ${now.reason.fix}`)
    advice = now.reason?.fix
    if (clock.monotonicMs() - startedMs > timeout) throw timedOut(now, timeout)
    await clock.sleep(pauseMs, signal)
    pauseMs = Math.min(pauseMs * PAUSE_GROWTH, PAUSE_MS_MAX)
  }
}

const INDENT = ' '.repeat(toElapsed(0).length + 2)

async function historyOf(client: ApiClient, host: string): Promise<readonly WireHistoryEntry[]> {
  const path = `${pathOf(host)}/history`
  const query = { limit: HISTORY_ENTRIES_MAX }
  return (await client.call({ path, query, answer: historyPageSchema })).items
}

function pathOf(host: string): string {
  return `/hosts/${encodeURIComponent(host)}`
}

function identityOf({ at, step, outcome, sentence }: WireHistoryEntry): string {
  return [at, step, outcome, sentence].join('\n')
}

function timedOut({ host, state, reason }: WireHost, timeout: Duration): CliError {
  const why = reason ? `${reason.code}: ${reason.sentence}` : state
  return new CliError(
    'cli/timeout',
    `${host} has no padlock after ${formatDuration(timeout)}: ${why}`,
    {
      fix: `${reason?.fix ?? ''} Postern keeps trying; see: postern host show ${host}`.trim(),
    },
  )
}
