import type { Certificate, CertificateUpload } from '../certs/index.ts'
import { type HistoryDraft, HostError } from '../hosts/index.ts'
import { after, days, type Hostname } from '../kernel/index.ts'
import type { LifecycleDeps } from './ports.ts'

export interface BroughtCertificate {
  readonly upload: CertificateUpload
  /** Whether a CA is asked when this one ends, if nobody brings another. */
  readonly whenItEnds: 'take-over' | 'leave-to-owner'
}

/**
 * Keeps an owner's certificate and has it served from now on. Verified first: what cannot be served
 * changes nothing. Throws 'hosts/not-found', 'hosts/claim-needed', 'certs/bad-upload'.
 */
export async function bringCertificate(
  { hosts, certs, publish }: Pick<LifecycleDeps, 'hosts' | 'certs' | 'publish'>,
  hostname: Hostname,
  { upload, whenItEnds }: BroughtCertificate,
): Promise<Certificate> {
  const host = await hosts.find(hostname)
  if (!host || host.state === 'retired') throw notFound(hostname)
  if (host.claimToken !== undefined) {
    throw new HostError('hosts/claim-needed', `DNS does not show yet that ${hostname} is yours.`, {
      fix: host.reason?.fix,
    })
  }
  const certificate = await certs.importOwn({ hostname, upload })
  const event = { kind: 'brought', takeOver: whenItEnds === 'take-over' } as const
  try {
    // Whoever works on the host now can write no more, and so puts nothing else in its place.
    await hosts.changeSource(hostname, event, host)
  } catch (error) {
    // The name has another life, or another owner, by now.
    await certs.discard(certificate.id)
    throw error
  }
  // If this life ends meanwhile, so does the key, and nothing can be put to use.
  await certs.activate(certificate.id)
  await publish({ kind: 'host-changed', hostname })
  return { ...certificate, isCurrent: true }
}

function notFound(hostname: Hostname): HostError {
  return new HostError('hosts/not-found', `${hostname} is not a host here.`, {
    fix: `Add it first: postern host add ${hostname}`,
  })
}

/** Time for a CA's usual trouble to pass. */
const TAKE_OVER_BEFORE = days(7)
const AT_ONCE = 100

/** Has a CA asked for hosts whose owners' certificates end and who want that. */
export async function takeOverDue(
  { hosts, clock }: Pick<LifecycleDeps, 'hosts' | 'clock'>,
  mayGoOn: () => Promise<boolean>,
): Promise<void> {
  const due = await hosts.dueTakeOvers(after(clock.now(), TAKE_OVER_BEFORE), AT_ONCE)
  if (due.length === 0 || !(await mayGoOn())) return
  for (const hostname of due) await hosts.changeSource(hostname, { kind: 'handed-over' })
}

/** Tells owners, several times, that the certificate which they brought ends. */
export async function warnOwners({
  hosts,
  certs,
  record,
}: Pick<LifecycleDeps, 'hosts' | 'certs' | 'record'>): Promise<void> {
  for (const { certificate, days: left } of await certs.expiringOwn({ limit: AT_ONCE })) {
    const { id, hostname, notAfter } = certificate
    const draft: HistoryDraft = {
      ...{ step: 'bring', outcome: 'waiting', code: 'certificate/expiring' },
      ...{ notice: 'expiring', certificateId: id },
      sentence: `The certificate that its owner brought ends on ${notAfter.toISOString()}, in ${left === 1 ? 'a day' : `${left} days`} or less, and there is no other.`,
    }
    await hosts.note(hostname, draft)
    record.stepTaken({ hostname, ...draft })
    await certs.markWarned(id, left)
  }
}
