import type { Hostname, Reason, Redacted } from '../kernel/index.ts'
import type { WireHostState } from './native/contract.ts'

/** What the API needs of the parts behind it, and nothing more. `app` joins them. */
export interface ApiPorts {
  readonly hosts: HostsPort
  readonly hostLife: HostLifePort
  readonly certificates: CertificatesPort
  readonly acme: AcmePort
  readonly links: LinksPort
  readonly hits: HitsPort
  readonly keys: KeysPort
  readonly health: HealthPort
  /** All processes' numbers in Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
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
  /** Idempotent. A retired host comes back. */
  add(hostname: Hostname, domain: string): Promise<unknown>
  checkNow(hostname: Hostname): Promise<unknown>
  renewNow(hostname: Hostname): Promise<unknown>
  retire(hostname: Hostname): Promise<unknown>
}

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
}

export interface AcmePort {
  describe(): Promise<{
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
  }>
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
  status(): Promise<
    readonly { readonly keyId: string; readonly current: boolean; readonly secrets: number }[]
  >
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
