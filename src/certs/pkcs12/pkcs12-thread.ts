/** The thread of one PKCS#12 file. Says what came of it, once, and is ended by whoever started it. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Pkcs12Answer, Pkcs12Job } from './pkcs12-job.ts'
import { readPkcs12 } from './read-pkcs12.ts'
import { writePkcs12 } from './write-pkcs12.ts'

function answer(job: Pkcs12Job): Pkcs12Answer {
  switch (job.kind) {
    case 'read':
      return readPkcs12(job)
    case 'write':
      return { kind: 'written', file: writePkcs12(job) }
  }
}

const job: Pkcs12Job = workerData
const said = answer(job)
// A key is moved and not copied.
parentPort?.postMessage(said, said.kind === 'opened' ? [said.keyDer.buffer] : [])
