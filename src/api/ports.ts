import type { Duration, Hostname, NoticeKind, Reason, Redacted, Urgency } from '../kernel/index.ts'
import type { WireHostState, WireKey, WireRevocationReason } from './native/contract.ts'

/** What the API needs of the parts behind it, and nothing more. `app` joins them. */
export interface ApiPorts {
  readonly hosts: HostsPort
  readonly hostLife: HostLifePort
  readonly certificates: CertificatesPort
  readonly acme: AcmePort
  readonly accounts: AccountsPort
  readonly webhooks: WebhooksPort
  readonly events: EventsPort
  readonly links: LinksPort
  readonly hits: HitsPort
  readonly keys: KeysPort
  readonly health: HealthPort
  /** All processes' numbers in Prometheus' text format. */
  /** OpenMetrics for who asks for it: only there, requests are named beside the histograms. */
  readonly metrics: (
    format: 'prometheus' | 'openmetrics',
  ) => Promise<{ readonly contentType: string; readonly text: string }>
}

/** Part of a longer list; `nextCursor` is absent on the last. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextCursor?: string | undefined
}

export interface PageRequest {
  readonly limit: number
  readonly cursor?: string | undefined
}

export interface HostsPort {
  /** Retired hosts, too. */
  find(hostname: Hostname): Promise<HostView | undefined>
  page(
    request: PageRequest & {
      readonly state?: WireHostState | undefined
      /** Part of a name. */
      readonly q?: string | undefined
      readonly account?: string | undefined
    },
  ): Promise<{ readonly hosts: readonly HostView[]; readonly nextCursor?: string | undefined }>
  /** Oldest first; bounded by the part that keeps it. */
  history(hostname: Hostname): Promise<readonly HistoryView[]>
}

export interface HostView {
  readonly hostname: Hostname
  readonly domain: string
  readonly state: WireHostState
  readonly reason?: Reason | null | undefined
  readonly httpsSafe: boolean
  readonly checks: readonly {
    readonly name: string
    readonly ok: boolean
    readonly seen: string
    readonly expected?: string | undefined
  }[]
  readonly nextAttemptAt?: Date | null | undefined
  readonly account: string
  readonly certificateFrom: 'acme' | 'customer'
  /** Our CA takes over when what the customer brought ends. */
  readonly takeOver: boolean
  readonly queuedAt?: Date | null | undefined
  readonly leftAt?: Date | null | undefined
}

export interface HistoryView {
  readonly at: Date
  readonly step: string
  readonly outcome: string
  readonly code?: string | null | undefined
  readonly sentence: string
}

/** Resolves when the deed is done or safely noted; the API then reads the host anew. */
export interface HostLifePort {
  /**
   * Idempotent. A retired host comes back. A name of another account is refused with
   * 'hosts/other-account', whose fix names the TXT record that would prove the claim.
   */
  add(hostname: Hostname, domain: string, account: string): Promise<unknown>
  checkNow(hostname: Hostname): Promise<unknown>
  renewNow(hostname: Hostname): Promise<unknown>
  retire(hostname: Hostname): Promise<unknown>
  /** Checks the customer's own certificate and puts it to use; throws 'certs/bad-upload'. */
  bringCertificate(hostname: Hostname, brought: BroughtCertificate): Promise<unknown>
  /** A CA is asked for the next certificate, from now on. Idempotent. */
  handOver(hostname: Hostname): Promise<unknown>
  revoke(
    certificateId: string,
    reason: WireRevocationReason,
    signal: AbortSignal,
  ): Promise<Revocation>
}

export interface BroughtCertificate {
  readonly upload: CertificateUpload
  /** Whether a CA is asked when this one ends, if nobody brings another. */
  readonly whenItEnds: 'take-over' | 'leave-to-owner'
}

/** What a customer brings: read into memory, and nowhere else. */
export type CertificateUpload =
  | { readonly pem: { readonly chain: string; readonly key: string } }
  /** The API zeroes the bytes afterwards. */
  | { readonly pkcs12: Buffer; readonly password: string }

export type Revocation =
  | { readonly kind: 'revoked' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'refused'; readonly reason: Reason }

export interface CertificatesPort {
  current(hostname: Hostname): Promise<CertificateView | undefined>
  find(id: string): Promise<CertificateView | undefined>
  page(request: {
    readonly expiringBefore?: Date | undefined
    readonly after?: string | undefined
    readonly limit: number
  }): Promise<Page<CertificateView>>
  /** The private key as PKCS#8 PEM. */
  exportKey(id: string): Promise<Redacted<string>>
  /** Chain and key in one file. */
  exportPkcs12(id: string, password: string): Promise<Redacted<Buffer>>
}

export interface CertificateView {
  readonly id: string
  readonly hostname: Hostname
  readonly serial: string
  readonly issuer: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly renewAt: Date
  readonly renewBecause: string
  readonly chainPem: string
  readonly source: string
  readonly isCurrent: boolean
  readonly createdAt: Date
  readonly keyType?: string | undefined
  readonly window?: { readonly start: Date; readonly end: Date } | null | undefined
  readonly explanationUrl?: string | null | undefined
  readonly revokedAt?: Date | null | undefined
}

export interface AcmePort {
  describe(): Promise<AcmeView>
  /** Hosts that are ready for a CA whose budget has no room for them yet. */
  queue(): Promise<readonly QueuedView[]>
  /** Renewals of the next weeks. */
  forecast(): Promise<ForecastView>
}

export interface AcmeView {
  readonly authority: { readonly name: string; readonly directoryUrl: string }
  readonly accounts: readonly {
    readonly directoryUrl: string
    readonly url?: string | null | undefined
    readonly createdAt: Date
  }[]
  readonly openOrders: readonly {
    readonly hostname: string
    readonly state: string
    readonly url?: string | null | undefined
    readonly createdAt: Date
  }[]
  /** In the order of preference. */
  readonly authorities: readonly AuthorityView[]
}

export interface AuthorityView {
  readonly name: string
  readonly directoryUrl: string
  readonly health: 'up' | 'down' | 'held'
  readonly heldUntil?: Date | null | undefined
  readonly why?: string | null | undefined
  readonly accountUrl?: string | null | undefined
  readonly profile?: string | null | undefined
  readonly budgets: readonly BudgetView[]
  readonly pausedNames: readonly {
    readonly hostname: string
    readonly pausedAt: Date
    readonly unpauseUrl?: string | null | undefined
  }[]
}

export interface BudgetView {
  readonly limit: string
  /** The name or domain it counts; absent: all that we order. */
  readonly bucket?: string | undefined
  readonly per: Duration
  readonly capacity: number
  readonly left: number
  /** Absent if nothing of it is spent. */
  readonly fullAt?: Date | null | undefined
}

export interface QueuedView {
  readonly urgency: Urgency
  readonly count: number
  readonly oldest?: Date | null | undefined
}

export interface ForecastView {
  readonly from: Date
  /** Certificates to renew in each hour from then on. */
  readonly hours: readonly number[]
  /** How long a renewal waits for the budget at the worst. */
  readonly longestWait: Duration
  /** Nobody waits so long that it matters. */
  readonly isCarried: boolean
  /** What it would come to if all certificates were of a profile. */
  readonly profiles: readonly {
    readonly name: string
    readonly lifetime: Duration
    readonly renewalsPerDay: number
    readonly peakPerHour: number
    readonly longestWait: Duration
    readonly isCarried: boolean
  }[]
}

export interface AccountsPort {
  /** Makes it if it is not there. */
  ensure(account: string): Promise<unknown>
  find(account: string): Promise<AccountView | undefined>
  page(request: PageRequest): Promise<Page<AccountView>>
}

export interface AccountView {
  readonly id: string
  readonly name: string
  readonly createdAt: Date
}

export interface WebhooksPort {
  /** Replaces an earlier one, its key too. */
  set(account: string, url: string): Promise<{ readonly signingKey: Redacted<string> }>
  show(account: string): Promise<WebhookView | undefined>
  /** Whether there was one. */
  remove(account: string): Promise<boolean>
  /** Delivers one event now. */
  test(account: string): Promise<WebhookTestView>
  /** All of them together. */
  status(): Promise<WebhooksView>
}

export interface WebhookView {
  readonly url: string
  readonly createdAt: Date
  readonly waiting: number
  readonly waitingSince?: Date | undefined
  readonly givenUp: number
  /** Of the last delivery, as a sentence. */
  readonly problem?: string | undefined
  readonly problemAt?: Date | undefined
  readonly failures: number
  readonly nextAttemptAt?: Date | undefined
  readonly deliveredAt?: Date | undefined
}

export interface WebhooksView {
  readonly waiting: number
  readonly waitingSince?: Date | undefined
  /** Accounts that did not take the last delivery. */
  readonly failing: number
}

export interface WebhookTestView {
  readonly eventId: string
  readonly status?: number | undefined
  /** Why it does not count as delivered. */
  readonly problem?: string | undefined
  readonly ms: number
}

export interface EventsPort {
  /** Newest first. */
  page(
    request: PageRequest & {
      readonly account?: string | undefined
      readonly hostname?: Hostname | undefined
      readonly kind?: NoticeKind | 'test' | undefined
    },
  ): Promise<Page<EventView>>
}

export interface EventView {
  readonly id: string
  readonly at: Date
  readonly account: string
  readonly kind: string
  readonly hostname?: string | null | undefined
  readonly data: Readonly<Record<string, unknown>>
}

export interface LinksPort {
  /** The whole URL, on `https` if `secure`. */
  sign(link: {
    readonly hostname: Hostname
    readonly secure: boolean
    readonly kind: 'click' | 'open'
    readonly target: string | undefined
    readonly reference: string
  }): Promise<string>
}

export interface HitsPort {
  /** Newest first. */
  page(request: PageRequest & { readonly hostname?: Hostname | undefined }): Promise<Page<HitView>>
}

export interface HitView {
  readonly id: string
  readonly at: Date
  readonly kind: string
  readonly hostname: string
  readonly reference: string
  readonly target?: string | null | undefined
  readonly address: string
  readonly userAgent: string
}

export interface KeysPort {
  status(): Promise<KeysView>
  /** Resolves when it is noted down: the rest goes on by itself. */
  rotate(wishes: { readonly retireOld: boolean }): Promise<RotationOutcome>
}

export interface KeysView {
  /** The one that seals first. */
  readonly keys: readonly {
    readonly keyId: string
    readonly use: WireKey['use']
    readonly secrets: number
    readonly source: string | undefined
  }[]
  /** The one under way, or the last. */
  readonly rotation:
    | {
        readonly toKeyId: string
        readonly startedAt: Date
        readonly updatedAt: Date
        readonly finishedAt: Date | undefined
        readonly total: number
        readonly done: number
        readonly left: number
        readonly unreadable: number
        readonly retireOld: boolean
        readonly waitsFor: string | undefined
        readonly problem: string | undefined
      }
    | undefined
}

export type RotationOutcome =
  | { readonly kind: 'begun' | 'under-way' | 'nothing-to-do' }
  | {
      readonly kind: 'refused'
      readonly refusal: {
        readonly code: 'keys/node-lacks-key' | 'keys/no-new-key'
        readonly sentence: string
        readonly fix: string
      }
    }

export interface HealthPort {
  live(): boolean
  readiness(): Promise<{
    readonly ready: boolean
    readonly reasons: readonly {
      readonly code: string
      readonly sentence: string
      readonly fix: string
    }[]
  }>
}
