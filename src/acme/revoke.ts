import type { Certificate } from '../certs/index.ts'
import { parseChain } from '../net/index.ts'
import type { Desks } from './desks.ts'
import { AcmeError } from './errors.ts'
import type { RevocationOutcome, RevocationReason } from './issuer.ts'
import { openSession } from './open-session.ts'
import { toReason } from './reasons.ts'

/** RFC 5280 §5.3.1. */
const NUMBER_BY_REASON: Readonly<Record<RevocationReason, number>> = {
  unspecified: 0,
  keyCompromise: 1,
  superseded: 4,
  cessationOfOperation: 5,
}

/** Revokes a certificate by the account that got it (RFC 8555 §7.6). One that is revoked stays so. */
export async function revokeAtCa(
  certificate: Certificate,
  { reason, desks }: { readonly reason: RevocationReason; readonly desks: Desks },
  signal: AbortSignal,
): Promise<RevocationOutcome> {
  const { id: certificateId, source, hostname, chainPem } = certificate
  const desk = desks.named(source)
  if (!desk) return { kind: 'refused', reason: NOT_OURS }
  const { authority, record } = desk
  try {
    const session = await openSession(desk, signal)
    const [leaf] = parseChain(chainPem)
    await session.revoke(leaf.raw, NUMBER_BY_REASON[reason])
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof AcmeError)) throw error
    if (error.problem?.type !== 'alreadyRevoked') {
      return { kind: 'refused', reason: toReason(error, { authority, hostname }) }
    }
  }
  record.certificateRevoked({ ca: authority.name, hostname, certificateId, reason })
  return { kind: 'revoked' }
}

const NOT_OURS = {
  code: 'ca/rejected',
  sentence: 'No CA that we know issued this certificate: it was brought by its owner.',
  fix: 'Revoke it where it was bought.',
} as const
