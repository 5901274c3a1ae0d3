import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { z } from 'zod'
import type { StoreRecord } from '../../telemetry/index.ts'
import type { Notice } from '../store.ts'
import { closeClient, connectionConfig } from './pool.ts'

/** The channel on which all nodes of this database listen. */
export const NOTICE_CHANNEL = 'postern_notices'

/** Keeps one connection listening until it is disposed. */
export interface Listener extends AsyncDisposable {
  /** Resolves once it listens for the first time; rejects if the first connection fails. */
  readonly listening: Promise<void>
}

export interface ListenerDeps {
  readonly url: URL
  readonly record: StoreRecord
  /** Gets every notice in order, and a `resync` whenever listening (re)starts. */
  readonly onNotice: (notice: Notice) => void
}

/**
 * Listens for notices (PostgreSQL LISTEN). A connection that ends, or that no longer answers, is
 * replaced. What was said meanwhile is lost to us: hence the `resync`.
 */
export function startListener(deps: ListenerDeps): Listener {
  const { record, onNotice } = deps
  const stopping = new AbortController()
  const first = Promise.withResolvers<void>()
  // Whoever does not wait for it learns of a failure by the record.
  first.promise.catch(() => undefined)
  const hasStopped = (): boolean => stopping.signal.aborted

  const loop = async (): Promise<void> => {
    while (!hasStopped()) {
      try {
        await listenOnce(deps, stopping.signal, () => {
          record.noticesListening()
          onNotice({ kind: 'resync' })
          first.resolve()
        })
      } catch (error) {
        record.noticesInterrupted(error)
        first.reject(error)
      }
      await pause(RECONNECT_MS, stopping.signal)
    }
  }
  const running = loop()

  return {
    listening: first.promise,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await running
    },
  }
}

/** One connection's life: throws when the connection is lost, returns when told to stop. */
async function listenOnce(
  { url, onNotice }: ListenerDeps,
  signal: AbortSignal,
  onListening: () => void,
): Promise<void> {
  const client = new pg.Client({ ...connectionConfig(url), query_timeout: ANSWER_MS_MAX })
  const over = Promise.withResolvers<void>()
  over.promise.catch(() => undefined)
  const stop = (): void => over.resolve()
  signal.addEventListener('abort', stop, { once: true })
  client.on('error', over.reject)
  client.on('end', () => over.reject(new Error('The connection for notices ended')))
  client.on('notification', ({ payload }) => {
    const notice = parseNotice(payload)
    if (notice) onNotice(notice)
  })

  const listen = async (): Promise<void> => {
    await client.connect()
    await client.query(`listen ${NOTICE_CHANNEL}`)
    onListening()
    while (!signal.aborted) {
      await pause(PROBE_MS, signal)
      // Nothing else would tell that the other end is gone.
      await client.query('select 1')
    }
  }
  try {
    await Promise.race([listen(), over.promise])
  } finally {
    signal.removeEventListener('abort', stop)
    await closeClient(client)
  }
}

/** A notice from another node, which may be newer: what it adds is not for us. */
function parseNotice(payload: string | undefined): Notice | undefined {
  if (payload === undefined) return undefined
  try {
    return noticeSchema.parse(JSON.parse(payload))
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError) return undefined
    throw error
  }
}

const noticeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('host-changed'), hostname: z.string() }),
  z.object({ kind: z.literal('rehearse'), hostname: z.string(), certificateId: z.string() }),
  z.object({ kind: z.literal('resync') }),
])

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

const RECONNECT_MS = 500
/** How soon a connection that died in silence is noticed: within this and the next. */
const PROBE_MS = 10_000
const ANSWER_MS_MAX = 5_000
