import { parseWireHostname } from '../../kernel/index.ts'
import type { HandshakeResult } from '../../telemetry/index.ts'
import type { HostMembership } from '../ports.ts'
import type { ClientHello } from './client-hello.ts'

/** Why a client goes no further, and what it is told (RFC 8446 §6.2). */
export interface HelloRefusal {
  readonly result: HandshakeResult
  /** The bytes of a fatal alert. */
  readonly alert: Buffer
}

/**
 * Judges a client by its first words, from memory: neither OpenSSL nor the store has done anything
 * for it yet. One that names nothing has asked for nobody's certificate; RFC 6066 §3 allows going on
 * without the name, and there is nothing to go on with.
 */
export function refusalOf(
  { newestVersion, servername }: Pick<ClientHello, 'newestVersion' | 'servername'>,
  membership: Pick<HostMembership, 'has'>,
): HelloRefusal | undefined {
  if (newestVersion < TLS_1_2) return LEGACY_VERSION
  if (servername === undefined) return newestVersion > TLS_1_2 ? NO_NAME : NO_NAME_BEFORE_1_3
  const hostname = parseWireHostname(servername)
  return hostname && membership.has(hostname) ? undefined : UNKNOWN_NAME
}

const TLS_1_2 = 0x0303

const LEGACY_VERSION: HelloRefusal = { result: 'legacy-version', alert: fatalAlert(70) }
const NO_NAME: HelloRefusal = { result: 'no-sni', alert: fatalAlert(109) }
/** "missing_extension" is of TLS 1.3; before, it is a handshake that failed. */
const NO_NAME_BEFORE_1_3: HelloRefusal = { result: 'no-sni', alert: fatalAlert(40) }
const UNKNOWN_NAME: HelloRefusal = { result: 'unknown-sni', alert: fatalAlert(112) }

/** A record of TLS 1.0, as each hello's own is: a client of any version reads it. */
function fatalAlert(description: number): Buffer {
  return Buffer.from([21, 3, 1, 0, 2, 2, description])
}
