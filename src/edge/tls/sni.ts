import type { SecureContext } from 'node:tls'
import {
  type Clock,
  createRecentKeys,
  type Hostname,
  parseWireHostname,
  type Random,
} from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { STAND_IN_HOSTS_MAX } from '../limits.ts'
import type { CertificateSource, HostMembership, ServedCertificate } from '../ports.ts'
import type { VisitBook } from '../request/visits.ts'
import { makeStandIn } from './stand-in-certificate.ts'

/** Which certificate a name gets. */
export interface Sni {
  /**
   * For `tls.createServer`. A name that is not ours gets no context: with a server that has no
   * certificate itself, that ends in a clean alert (handshake_failure) before any signature, where
   * an error would drop the connection without a word.
   */
  readonly callback: (
    servername: string,
    done: (error: Error | null, context?: SecureContext) => void,
  ) => void
  /** Whether one can be had, not counting the stand-in. Never rejects. */
  hasCertificate(hostname: Hostname): Promise<boolean>
  /**
   * Whether this host was met with the stand-in and has no certificate still. Of a session that
   * another process began with the stand-in nothing is known here: its visitor chose to trust it.
   */
  lacksCertificate(hostname: Hostname): boolean | Promise<boolean>
}

export function createSni({
  certificates,
  membership,
  visits,
  record,
  clock,
  random,
}: {
  readonly certificates: CertificateSource
  readonly membership: HostMembership
  readonly visits: Pick<VisitBook, 'noteLacking' | 'isOwn'>
  readonly record: Pick<EdgeRecord, 'certificateUnreadable' | 'servedPastItsTime'>
  readonly clock: Clock
  readonly random: Random
}): Sni {
  const metWithStandIn = createRecentKeys<Hostname>(STAND_IN_HOSTS_MAX)
  let standIn: ServedCertificate | undefined

  /** A link in an old mail must not break: it is served all the same. */
  const noteIfPastItsTime = (hostname: Hostname, served: ServedCertificate): void => {
    const isExpired = served.notAfter <= clock.now()
    if (visits.isOwn(hostname) || !(isExpired || served.isRevoked)) return
    record.servedPastItsTime(isExpired ? 'expired' : 'revoked')
    if (isExpired) visits.noteLacking(hostname)
  }

  const contextOf = (
    hostname: Hostname,
    served: ServedCertificate | undefined,
  ): SecureContext | undefined | Promise<SecureContext | undefined> => {
    if (!served) return standInFor(hostname)
    metWithStandIn.delete(hostname)
    noteIfPastItsTime(hostname, served)
    return served.context
  }

  const standInFor = async (hostname: Hostname): Promise<SecureContext | undefined> => {
    if (!(await membership.isOurs(hostname))) return undefined
    visits.noteLacking(hostname)
    metWithStandIn.add(hostname)
    standIn ??= makeStandIn({ clock, random })
    return standIn.context
  }

  const find = async (
    hostname: Hostname,
    looking: Promise<ServedCertificate | undefined>,
  ): Promise<SecureContext | undefined> => contextOf(hostname, await looking)

  const lacksStill = async (hostname: Hostname): Promise<boolean> => {
    if (!(await certificates.contextFor(hostname))) return true
    metWithStandIn.delete(hostname)
    return false
  }

  return {
    callback: (servername, done) => {
      const hostname = parseWireHostname(servername)
      if (!hostname || !membership.has(hostname)) {
        done(null)
        return
      }
      const served = certificates.contextFor(hostname)
      const context =
        served instanceof Promise ? find(hostname, served) : contextOf(hostname, served)
      // In the same turn wherever nothing has to be looked up.
      if (!(context instanceof Promise)) {
        done(null, context)
        return
      }
      context.then(
        (found) => done(null, found),
        (error: unknown) => {
          record.certificateUnreadable({ hostname, error })
          done(null)
        },
      )
    },
    hasCertificate: async (hostname) => {
      const found = Promise.resolve(certificates.contextFor(hostname))
      // Why it cannot be had was said when the handshake asked for it.
      return found.then(
        (served) => served !== undefined,
        () => false,
      )
    },
    lacksCertificate: (hostname) => metWithStandIn.has(hostname) && lacksStill(hostname),
  }
}
