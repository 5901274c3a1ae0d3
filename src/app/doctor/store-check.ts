import { inspectStore } from '../../store/index.ts'
import type { DoctorCheck, DoctorDeps } from './check.ts'

/** The database, looked at without changing a byte. */
export function storeCheck({ config }: Pick<DoctorDeps, 'config'>): DoctorCheck {
  return {
    name: 'store',
    run: async (signal) => {
      const inspection = await inspectStore(config.store, signal)
      if (inspection.kind === 'empty') {
        return { verdict: 'ok', seen: 'empty; it is set up at the first start' }
      }
      return { verdict: 'ok', seen: `reachable, schema ${inspection.schemaVersion}` }
    },
  }
}
