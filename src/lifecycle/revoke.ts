import type { RevocationOutcome, RevocationReason } from '../acme/index.ts'
import type { HistoryDraft } from '../hosts/index.ts'
import { CEASED } from './lack-reasons.ts'
import type { LifecycleDeps } from './ports.ts'

export type RevokeOutcome = RevocationOutcome | { readonly kind: 'not-found' }

/**
 * Has a certificate revoked by its CA, and replaced at once if it is in use: unless its owner says
 * that the name is over.
 */
export async function revoke(
  {
    hosts,
    certs,
    issuer,
    clock,
    record,
  }: Pick<LifecycleDeps, 'hosts' | 'certs' | 'issuer' | 'clock' | 'record'>,
  { certificateId, reason }: { readonly certificateId: string; readonly reason: RevocationReason },
  signal: AbortSignal,
): Promise<RevokeOutcome> {
  const certificate = await certs.find(certificateId)
  if (!certificate) return { kind: 'not-found' }
  const outcome = await issuer.revoke(certificate, reason, signal)
  if (outcome.kind === 'refused') return outcome
  await certs.markRevoked(certificateId)
  const { hostname, serial, source, isCurrent } = certificate
  const draft: HistoryDraft = {
    ...{ step: 'revoke', outcome: 'done', notice: 'revoked', certificateId },
    sentence: `${source} has revoked certificate ${serial} (${reason}).`,
  }
  await hosts.note(hostname, draft)
  record.stepTaken({ hostname, ...draft })
  if (!isCurrent) return outcome
  if (reason === 'cessationOfOperation') await hosts.cease(hostname, CEASED)
  else await hosts.renewalMoved(hostname, clock.now(), 'replace-now')
  return outcome
}
