import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { dataDirectory, type StoreOptions } from '../../store/index.ts'

/** The server that runs here already, asked like by any other client. */
export interface RunningServer {
  readonly pid: number
  /** Asks for something below `/api/v1`. */
  ask<Answer extends z.ZodType>(
    question: { readonly path: string; readonly answer: Answer },
    signal: AbortSignal,
  ): Promise<Told<z.output<Answer>>>
}

type Told<Answer> =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'silence'; readonly why: string }

export type FindServer = () => Promise<RunningServer | undefined>

const runningSchema = z.object({ pid: z.int().positive(), url: z.url({ protocol: /^https?$/ }) })

/** The server of this data directory, if its process is alive. */
export async function findRunningServer({
  store,
  fetch,
}: {
  readonly store: StoreOptions
  readonly fetch: typeof globalThis.fetch
}): Promise<RunningServer | undefined> {
  const directory = dataDirectory(store)
  const running = await readRunning(directory)
  if (!running) return undefined
  const { pid, url } = running
  return {
    pid,
    ask: async ({ path, answer }, signal) => {
      try {
        const key = (await readFile(join(directory, 'admin.key'), 'utf8')).trim()
        const response = await fetch(`${url}/api/v1${path}`, {
          redirect: 'error',
          headers: { authorization: `Bearer ${key}` },
          signal,
        })
        if (!response.ok) return { kind: 'silence', why: `status ${response.status}` }
        const parsed = answer.safeParse(await response.json())
        if (parsed.success) return { kind: 'answer', answer: parsed.data }
        return { kind: 'silence', why: 'it is of another version' }
      } catch (error) {
        if (!(error instanceof Error)) throw error
        // What fetch has to say is in the cause: ECONNREFUSED and the like.
        const { cause } = error
        return { kind: 'silence', why: cause instanceof Error ? cause.message : error.message }
      }
    },
  }
}

async function readRunning(directory: string): Promise<z.output<typeof runningSchema> | undefined> {
  try {
    const text = await readFile(join(directory, 'running.json'), 'utf8')
    const running = runningSchema.parse(JSON.parse(text))
    process.kill(running.pid, 0)
    return running
  } catch (error) {
    // No file, half a file, or no such process: then nobody serves here.
    if (error instanceof z.ZodError || error instanceof SyntaxError) return undefined
    if (error instanceof Error && 'code' in error) return undefined
    throw error
  }
}
