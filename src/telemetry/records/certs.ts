import type { Log, LogFields } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** The events of the certificates we hold and serve. */
export type CertsRecord = ReturnType<typeof createCertsRecord>

export function createCertsRecord({
  log,
  metrics,
}: {
  readonly log: Log
  readonly metrics: Metrics
}) {
  const contexts = metrics.gauge({
    name: 'certificate_contexts_cached',
    help: 'TLS contexts held ready',
  })
  const contextBytes = metrics.gauge({
    name: 'certificate_contexts_cached_bytes',
    help: 'Memory of the TLS contexts held ready, estimated',
  })
  const built = metrics.counter({
    name: 'certificate_contexts_built_total',
    help: 'TLS contexts that were needed, by outcome: built, kept (store down), unusable',
    labels: ['outcome'],
  })
  const held = metrics.gauge({
    name: 'certificates',
    help: 'Certificates in use, by the time they have left',
    labels: ['left'],
  })
  const bySource = metrics.gauge({
    name: 'certificates_by_source',
    help: 'Certificates in use, by the CA (or customer) they come from and the kind of their key',
    labels: ['source', 'key_type'],
  })
  const revoked = metrics.gauge({
    name: 'certificates_revoked',
    help: 'Certificates in use that were revoked and are not replaced yet',
  })
  return {
    contextsCached: (facts: { readonly contexts: number; readonly bytes: number }): void => {
      contexts.set(facts.contexts)
      contextBytes.set(facts.bytes)
    },
    contextBuilt: (): void => built.inc({ outcome: 'built' }),
    /** The store does not answer: what was served before is served on. */
    contextKept: (facts: FactsOfContext): void => {
      built.inc({ outcome: 'kept' })
      // The store itself says that it is down; this would say it once per host.
      log.debug('certificate-context-kept', facts)
    },
    contextsWarmed: (facts: { readonly warmed: number }): void =>
      log.debug('certificate-contexts-warmed', facts),
    warmingFailed: (facts: { readonly error: unknown }): void =>
      log.warn('certificate-contexts-not-warmed', facts),
    certificateUnusable: (facts: FactsOfContext): void => {
      built.inc({ outcome: 'unusable' })
      log.error('certificate-unusable', facts)
    },
    certificatesPruned: (facts: { readonly removed: number; readonly orphaned: number }): void =>
      log.info('certificates-pruned', facts),
    certificatesHeld: (counts: CertificateCounts): void => {
      held.set({ left: 'none' }, counts.expired)
      held.set({ left: 'under-7-days' }, counts.under7Days)
      held.set({ left: 'under-30-days' }, counts.under30Days)
      held.set({ left: '30-days-or-more' }, counts.longer)
      revoked.set(counts.revoked)
      bySource.reset()
      for (const { source, keyType, certificates } of counts.bySource) {
        bySource.set({ source, key_type: keyType }, certificates)
      }
    },
  }
}

interface FactsOfContext extends LogFields {
  readonly hostname: string
  readonly certificateId: string
  readonly error: unknown
}

/** Certificates in use, by what is left of them; each counts once. */
interface CertificateCounts {
  readonly expired: number
  readonly under7Days: number
  readonly under30Days: number
  readonly longer: number
  readonly revoked: number
  readonly bySource: readonly {
    readonly source: string
    readonly keyType: string
    readonly certificates: number
  }[]
}
