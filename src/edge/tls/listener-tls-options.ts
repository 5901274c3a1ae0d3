import type { TlsOptions } from 'node:tls'
import { serverTlsOptions } from '../../net/index.ts'

/** What every TLS server of the edge offers, whoever it is for. */
export function listenerTlsOptions(): TlsOptions {
  return { ...serverTlsOptions(), ALPNProtocols: ['h2', 'http/1.1'] }
}
