import { parseWireHostname } from '../../kernel/index.ts'
import type { HandshakeResult } from '../../telemetry/index.ts'
import type { HostMembership } from '../ports.ts'
import type { Sni } from './sni.ts'

/** Those for whom there is nothing here, whatever they do next. */
export function isStranger(result: HandshakeResult): boolean {
  return result === 'unknown-sni' || result === 'no-sni' || result === 'legacy-version'
}

interface HandshakeFacts {
  readonly membership: Pick<HostMembership, 'has'>
  readonly sni: Pick<Sni, 'hasCertificate'>
}

/** Says in our words how OpenSSL or Node ended a handshake. */
export async function failedHandshakeResult(
  { code }: NodeJS.ErrnoException,
  { servername }: { readonly servername?: unknown },
  { membership, sni }: HandshakeFacts,
): Promise<HandshakeResult> {
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout'
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'aborted'
  if (code === 'ERR_SSL_UNSUPPORTED_PROTOCOL') return 'legacy-version'
  if (code === undefined || !NOTHING_SHARED.has(code)) return 'protocol-error'
  if (typeof servername !== 'string') return 'no-sni'
  const hostname = parseWireHostname(servername)
  if (!hostname || !membership.has(hostname)) return 'unknown-sni'
  return (await sni.hasCertificate(hostname)) ? 'no-shared-cipher' : 'no-certificate'
}

/** OpenSSL's words for "no certificate that both sides can use", on TLS 1.3 and 1.2: also for none. */
const NOTHING_SHARED = new Set([
  'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM',
  'ERR_SSL_NO_SHARED_CIPHER',
])
