import { Worker } from 'node:worker_threads'
import { type Duration, seconds } from '../../kernel/index.ts'
import type { Pkcs12Answer, Pkcs12Content, Pkcs12Draft, Pkcs12Job } from './pkcs12-job.ts'

/**
 * Reads and writes PKCS#12 files (RFC 7292), each in a thread of its own that ends with the file: a
 * file may ask for any amount of work, and what the library makes of a key is gone with the thread.
 */
export interface Pkcs12Files {
  /** The caller bounds the file, and zeroes the key. */
  read(wishes: { readonly file: Buffer; readonly password: string }): Promise<Pkcs12Content>
  /** Zeroes the key. */
  write(wishes: Pkcs12Draft): Promise<Buffer>
}

/** Most files open at once; 600,000 iterations take two seconds, more on a busy machine. */
const JOB_FOR_MAX = seconds(15)
const THREAD_MEMORY_MB_MAX = 128

export function createPkcs12Files({ jobFor = JOB_FOR_MAX } = {}): Pkcs12Files {
  // One at a time: each takes a core while it lasts.
  let last: Promise<unknown> = Promise.resolve()
  const run = (job: Pkcs12Job): Promise<Pkcs12Answer | 'too-slow'> => {
    const mine = last.then(() => runInThread(job, jobFor))
    last = mine.catch(() => undefined)
    return mine
  }

  return {
    read: async ({ file, password }) => {
      const answer = await run({ kind: 'read', file, password })
      if (answer === 'too-slow') return { kind: 'refused', why: 'too-slow' }
      if (answer.kind === 'opened') return { ...answer, keyDer: Buffer.from(answer.keyDer.buffer) }
      if (answer.kind === 'refused') return answer
      throw new TypeError('A PKCS#12 file was written that was to be read')
    },
    write: async (draft) => {
      try {
        const answer = await run({ kind: 'write', ...draft })
        if (answer !== 'too-slow' && answer.kind === 'written') return Buffer.from(answer.file)
        throw new Error('A PKCS#12 file could not be written in time')
      } finally {
        draft.keyDer.fill(0)
      }
    },
  }
}

/** Ends the thread in every case. */
async function runInThread(job: Pkcs12Job, jobFor: Duration): Promise<Pkcs12Answer | 'too-slow'> {
  const thread = new Worker(new URL('./pkcs12-thread.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: THREAD_MEMORY_MB_MAX },
  })
  const outcome = Promise.withResolvers<Pkcs12Answer | 'too-slow'>()
  const deadline = setTimeout(() => outcome.resolve('too-slow'), jobFor)
  thread.once('message', outcome.resolve)
  // Also out of memory. A file that can do that is one that asks for too much.
  thread.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') outcome.resolve('too-slow')
    else outcome.reject(error)
  })
  try {
    return await outcome.promise
  } finally {
    clearTimeout(deadline)
    await thread.terminate()
  }
}
