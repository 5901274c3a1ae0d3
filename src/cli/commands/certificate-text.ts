import type { WireCertificate } from '../../api/native/contract.ts'
import { toInstant } from '../output/instant.ts'
import { toFacts } from '../output/table.ts'

/** Everything about one certificate. */
export function certificateToText(certificate: WireCertificate, now: Date): string {
  const { window } = certificate
  return toFacts([
    ['host', certificate.host],
    ['id', certificate.id],
    ['serial', certificate.serial],
    ['issuer', certificate.issuer],
    ['from', certificate.source],
    ['key', certificate.keyType ?? undefined],
    ['valid from', toInstant(certificate.notBefore, now)],
    ['valid until', toInstant(certificate.notAfter, now)],
    ['renewed', `${toInstant(certificate.renewAt, now)}: ${certificate.renewBecause}`],
    ['CA suggests', window ? `${toInstant(window.start, now)} or later` : undefined],
    ['CA explains', certificate.explanationUrl ?? undefined],
    ['revoked', toInstant(certificate.revokedAt, now)],
    ['in use', certificate.current ? 'yes' : 'no'],
  ])
}
