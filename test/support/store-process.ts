import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { StoreRole } from '../../src/store/index.ts'

/** Another process that writes hits into a store without a pause (`store-writer.ts`). */
export interface StoreWriter extends AsyncDisposable {
  /** Resolves when so many writes have been acknowledged; with their ids. */
  acknowledged(count: number): Promise<readonly string[]>
  /** kill -9. Returns all that was acknowledged before. */
  kill(): Promise<readonly string[]>
}

interface WriterOptions {
  readonly url: string
  readonly role?: StoreRole
  /** Tells the hits of several writers apart. */
  readonly name?: string
}

export function startStoreWriter({ url, role = 'server', name = 'w' }: WriterOptions): StoreWriter {
  const program = fileURLToPath(new URL('store-writer.ts', import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [program, url, role, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ids: string[] = []
  let grown = Promise.withResolvers<void>()
  const ended = once(child, 'close')
  if (!child.stdout) throw new Error('no output')
  createInterface({ input: child.stdout }).on('line', (id) => {
    ids.push(id)
    grown.resolve()
    grown = Promise.withResolvers()
  })
  const kill = async (): Promise<readonly string[]> => {
    child.kill('SIGKILL')
    await ended
    return ids
  }
  return {
    acknowledged: async (count) => {
      const early = ended.then(() => {
        if (ids.length < count) throw new Error(`the writer ended after ${ids.length} writes`)
      })
      while (ids.length < count) await Promise.race([grown.promise, early])
      return ids
    },
    kill,
    [Symbol.asyncDispose]: async () => void (await kill()),
  }
}

/** Starts a writer, kills it after `count` acknowledgements, returns all that it acknowledged. */
export async function killWriterAfter(
  options: WriterOptions,
  count: number,
): Promise<readonly string[]> {
  await using writer = startStoreWriter(options)
  await writer.acknowledged(count)
  return writer.kill()
}
