import type { IssuedCertificate } from '../../../test/support/certificates.ts'
import type { Core } from '../../support/cores.ts'

/** A TLS server under measurement, in front of a backend. */
export interface Peer extends AsyncDisposable {
  readonly name: string
  readonly httpsPort: number
  /** The process that serves visitors. */
  readonly worker: number
  /** All its processes. */
  readonly pids: readonly number[]
  /** When its first process was started, by `performance.now()`. */
  readonly startedAtMs: number
}

/** A host with a certificate of its own. */
export interface PeerHost {
  readonly hostname: string
  readonly certificate: Pick<IssuedCertificate, 'chainPem' | 'keyPem'>
}

/** Where a peer lives, and what it is to serve. */
export interface PeerPlace {
  /** An empty folder of its own. */
  readonly folder: string
  readonly hosts: readonly PeerHost[]
  readonly backendPort: number
  /** The core it is bound to; none where its start is measured. */
  readonly core?: Core
}

/** A peer that can be told about one more host while it runs. */
export interface GrowingPeer extends Peer {
  /** Resolves when it was told; visitors may have to wait a little longer. */
  add(host: PeerHost): Promise<void>
}

/** How a peer is started; `undefined` where it cannot be had (said so by name, on stderr). */
export type StartPeer = (place: PeerPlace) => Promise<GrowingPeer | undefined>
