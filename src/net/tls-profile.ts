/**
 * TLS as Mozilla's "intermediate" 6.0 has it: 1.2 and 1.3, forward secrecy and AEAD only, the client
 * orders. Certificates of ours are ECDSA P-256; RSA is for those that customers bring.
 */
import { constants } from 'node:crypto'
import type { TlsOptions } from 'node:tls'
import { hours, seconds } from '../kernel/index.ts'
import type { KeyType } from './x509.ts'

/** The options of a `tls.Server` that are the same for every listener of ours. */
export type ServerTlsProfile = Readonly<
  Required<
    Pick<
      TlsOptions,
      | 'minVersion'
      | 'maxVersion'
      | 'ciphers'
      | 'ecdhCurve'
      | 'honorCipherOrder'
      | 'secureOptions'
      | 'sessionIdContext'
      | 'sessionTimeout'
      | 'handshakeTimeout'
    >
  >
>

/**
 * How every listener of ours talks TLS. Versions, ciphers and tickets of a connection come from the
 * server's options and not from the context that SNICallback returns (Node 26.10), so these are law.
 */
export function serverTlsOptions(): ServerTlsProfile {
  return {
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: SERVER_CIPHERS.join(':'),
    ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
    honorCipherOrder: false,
    // Node lets clients renegotiate TLS 1.2 unless told otherwise.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    sessionIdContext: SESSION_ID_CONTEXT,
    sessionTimeout: SESSION_TIMEOUT / seconds(1),
    handshakeTimeout: HANDSHAKE_TIMEOUT,
  }
}

/**
 * For contexts handed to SNICallback: one suite per version instead of the whole list saves about
 * 3 KB and a tenth of the building time each, and changes nothing on the wire (see above).
 */
export function contextCiphers(keyType: KeyType): string {
  const authentication = keyType === 'rsa' ? 'RSA' : 'ECDSA'
  return `TLS_AES_128_GCM_SHA256:ECDHE-${authentication}-AES128-GCM-SHA256`
}

const SERVER_CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-RSA-CHACHA20-POLY1305',
]

/** By default derived from the command line, which differs between workers: tickets would too. */
const SESSION_ID_CONTEXT = 'postern'
/** A mail is opened again within the day; Node's 5 minutes would waste those tickets. */
const SESSION_TIMEOUT = hours(12)
/** Node waits 120 s, in which connections that never speak pile up. */
const HANDSHAKE_TIMEOUT = seconds(5)
