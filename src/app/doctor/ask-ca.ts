import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIssuer, type Issuer } from '../../acme/index.ts'
import { openStore } from '../../store/index.ts'
import {
  createAcmeRecord,
  createMetrics,
  createStoreRecord,
  openLog,
} from '../../telemetry/index.ts'
import type { WithCas } from './authority-checks.ts'
import type { DoctorDeps } from './check.ts'

/**
 * Gives access to the CAs without touching the real store, which a server may be using: its accounts
 * live in an empty store that is thrown away. It cannot issue.
 */
export function createWithCas({ config, clock, random }: DoctorDeps): WithCas {
  return async (work) => {
    await using opened = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'postern-doctor-'))
    opened.defer(() => rm(folder, { recursive: true, force: true }))
    const told = { log: openLog({ level: 'silent' }), metrics: createMetrics() }
    const store = opened.use(
      await openStore(
        { url: `sqlite:${join(folder, 'empty.sqlite')}` },
        { clock, record: createStoreRecord(told), role: 'server' },
      ),
    )
    const issuer: Issuer = opened.use(
      createIssuer(
        {
          store,
          clock,
          random,
          record: createAcmeRecord(told),
          vault: { seal: refuse, open: refuse },
          certs: { save: refuse, find: refuse },
          challenges: { show: refuse, withdraw: refuse },
        },
        config.acme,
      ),
    )
    // Awaited here: the store must stay open until the work is done.
    return await work(issuer)
  }
}

function refuse(): never {
  throw new TypeError('Doctor looks, and does not issue.')
}
