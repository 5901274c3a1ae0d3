import type { AcmePort, CertificateView, HistoryView, HitView, HostView, Page } from '../ports.ts'
import type {
  WireAcmeStatus,
  WireCertificate,
  WireHistoryEntry,
  WireHit,
  WireHost,
} from './contract.ts'

/** A host and the certificate that it serves now, if any. */
export function hostToWire(host: HostView, certificate: CertificateView | undefined): WireHost {
  return {
    host: host.hostname,
    domain: host.domain,
    state: host.state,
    reason: host.reason ?? null,
    httpsSafe: host.httpsSafe,
    certificate: certificate ? validityToWire(certificate) : null,
    checks: host.checks.map((check) => ({ ...check })),
    nextAttemptAt: host.nextAttemptAt?.toISOString() ?? null,
  }
}

/** A certificate without chain or key. */
export function certificateToWire(certificate: CertificateView): WireCertificate {
  return {
    id: certificate.id,
    host: certificate.hostname,
    ...validityToWire(certificate),
    source: certificate.source,
    current: certificate.isCurrent,
    createdAt: certificate.createdAt.toISOString(),
  }
}

function validityToWire(certificate: CertificateView) {
  return {
    serial: certificate.serial,
    issuer: certificate.issuer,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    renewAt: certificate.renewAt.toISOString(),
    renewBecause: certificate.renewBecause,
  }
}

/** One step of a host's history. */
export function historyEntryToWire(entry: HistoryView): WireHistoryEntry {
  return {
    at: entry.at.toISOString(),
    step: entry.step,
    outcome: entry.outcome,
    code: entry.code ?? null,
    sentence: entry.sentence,
  }
}

/** One open or click. */
export function hitToWire(hit: HitView): WireHit {
  return {
    id: hit.id,
    at: hit.at.toISOString(),
    kind: hit.kind,
    host: hit.hostname,
    reference: hit.reference,
    target: hit.target ?? null,
    address: hit.address,
    userAgent: hit.userAgent,
  }
}

/** Accounts and open orders. */
export function acmeStatusToWire(
  status: Awaited<ReturnType<AcmePort['describe']>>,
): WireAcmeStatus {
  return {
    authority: { name: status.authority.name, directoryUrl: status.authority.directoryUrl },
    accounts: status.accounts.map(({ directoryUrl, url, createdAt }) => ({
      directoryUrl,
      url: url ?? null,
      createdAt: createdAt.toISOString(),
    })),
    openOrders: status.openOrders.map(({ hostname, state, url, createdAt }) => ({
      host: hostname,
      state,
      url: url ?? null,
      createdAt: createdAt.toISOString(),
    })),
  }
}

/** A page, item by item. */
export function pageToWire<Item, Wire>(
  page: Page<Item>,
  itemToWire: (item: Item) => Wire,
): { items: Wire[]; nextCursor: string | null } {
  return { items: page.items.map((item) => itemToWire(item)), nextCursor: page.nextCursor ?? null }
}
