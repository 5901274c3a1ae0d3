import {
  after,
  type Hostname,
  hours,
  milliseconds,
  type NoticeKind,
  type Reason,
  type Urgency,
} from '../kernel/index.ts'

/** Where a host stands. `failing` and `paused` hosts may still be serving a certificate. */
export type HostState = 'waiting-for-dns' | 'issuing' | 'active' | 'failing' | 'paused' | 'retired'

/** A name that a customer points at us, and how far it has come. */
export interface Host {
  readonly hostname: Hostname
  readonly domain: string
  /** Whose it is. */
  readonly account: string
  readonly state: HostState
  /** Why it is not (or no longer) well. */
  readonly reason: Reason | undefined
  /** What the last look at it found. */
  readonly checks: readonly Check[]
  /** Every edge worker serves its certificate: mail may link to it with https. */
  readonly httpsSafe: boolean
  /** Looks or attempts in a row that led nowhere. */
  readonly failures: number
  readonly nextAttemptAt: Date | undefined
  /** Why it needs a certificate, when it next does. */
  readonly urgency: Urgency
  /** Since when it has been ready, and waits for room in a CA's budget. */
  readonly queuedAt: Date | undefined
  /** A new certificate was asked for although the old one would do. */
  readonly renewalAskedAt: Date | undefined
  /** Since when looks find that its DNS, which led here, leads elsewhere. */
  readonly awayAt: Date | undefined
  /** Since when that is certain. */
  readonly leftAt: Date | undefined
  /** Since when its owner says, by revoking its certificate, that the name is over. */
  readonly ceasedAt: Date | undefined
  /** Since when it has been ready for a CA; not while it waits for DNS, nor once it is retired. */
  readonly readyAt: Date | undefined
  readonly lookedAt: Date | undefined
  /** Roughly when somebody last opened a link. */
  readonly visitedAt: Date | undefined
  /** `customer`: its owner brings the certificates, and no CA is asked. */
  readonly certificateFrom: 'acme' | 'customer'
  /** A CA is asked when the customer's own certificate ends. */
  readonly takeOver: boolean
  /** What its account was told of the trouble that it is in. */
  readonly told: NoticeKind | undefined
  /** Must be shown in DNS first, because another account had the name. */
  readonly claimToken: string | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** One thing that was looked at. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly seen: string
  readonly expected?: string | undefined
}

/** What a host's life needs to know of the certificate that is being served. */
export interface CertificateLife {
  readonly notBefore: Date
  readonly notAfter: Date
  readonly renewAt: Date
  readonly renewBecause?: string | undefined
  readonly revokedAt?: Date | undefined
}

/** Whose hosts are that nobody named an account for. */
export const DEFAULT_ACCOUNT = 'default'

/** A host as it begins: to be looked at right now. */
export function newHost(
  hostname: Hostname,
  domain: string,
  now: Date,
  account: string = DEFAULT_ACCOUNT,
): Host {
  return {
    ...{ hostname, domain, account },
    ...{ state: 'waiting-for-dns', reason: undefined, checks: [], httpsSafe: false, failures: 0 },
    ...{ nextAttemptAt: now, urgency: 'first' },
    ...NOTHING_UNDER_WAY,
    ...{ readyAt: undefined, lookedAt: undefined, visitedAt: undefined },
    ...{ certificateFrom: 'acme', takeOver: false, claimToken: undefined },
    ...{ createdAt: now, updatedAt: now },
  }
}

/** What a host begins with, and comes back to when it is well. */
export const NOTHING_UNDER_WAY = {
  ...{ queuedAt: undefined, renewalAskedAt: undefined },
  ...{ awayAt: undefined, leftAt: undefined, ceasedAt: undefined, told: undefined },
} as const

/**
 * When mail must stop linking to a certificate with https, unless it has been replaced by then:
 * an hour before its end, or when 95 % of a very short life are over.
 */
export function httpsEndsAt({ notBefore, notAfter }: CertificateLife): Date {
  const margin = Math.min(HTTPS_MARGIN, (notAfter.getTime() - notBefore.getTime()) / 20)
  return after(notAfter, milliseconds(-margin))
}

/**
 * Has the CA refused, and is the time not over that it named, or that we leave it? Such a host may
 * be looked at, but nobody's wish takes it to the CA before `nextAttemptAt`.
 */
export function isWaitingForCa(host: Host, now: Date): boolean {
  return hasCaReason(host) && host.nextAttemptAt !== undefined && now < host.nextAttemptAt
}

/** Is it a CA that stands in the way? */
export function hasCaReason({ reason }: Host): boolean {
  return reason?.code.startsWith('ca/') === true
}

/** Has it never been served? */
export function isNew({ state }: Host): boolean {
  return state === 'waiting-for-dns' || state === 'issuing'
}

/** The longest margin of `httpsEndsAt`: mail sent just before should still be opened with https. */
export const HTTPS_MARGIN = hours(1)

/** Is it over, so that visitors are warned of it? */
export function isOver({ notAfter }: Pick<CertificateLife, 'notAfter'>, now: Date): boolean {
  return notAfter <= now
}
