import type {
  AccountView,
  CertificateView,
  EventView,
  HistoryView,
  HitView,
  HostView,
  Page,
  WebhookTestView,
  WebhookView,
} from '../ports.ts'
import type {
  WireAccount,
  WireCertificate,
  WireEvent,
  WireHistoryEntry,
  WireHit,
  WireHost,
  WireWebhook,
  WireWebhookTest,
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
    account: host.account,
    certificateFrom: host.certificateFrom,
    takeOver: host.takeOver,
    queuedAt: host.queuedAt?.toISOString() ?? null,
    leftAt: host.leftAt?.toISOString() ?? null,
  }
}

/** A certificate without chain or key. */
export function certificateToWire(certificate: CertificateView): WireCertificate {
  const { window } = certificate
  return {
    id: certificate.id,
    host: certificate.hostname,
    ...validityToWire(certificate),
    source: certificate.source,
    current: certificate.isCurrent,
    createdAt: certificate.createdAt.toISOString(),
    keyType: certificate.keyType ?? null,
    window: window ? { start: window.start.toISOString(), end: window.end.toISOString() } : null,
    explanationUrl: certificate.explanationUrl ?? null,
    revokedAt: certificate.revokedAt?.toISOString() ?? null,
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

/** A tenant. */
export function accountToWire({ id, name, createdAt }: AccountView): WireAccount {
  return { account: id, name, createdAt: createdAt.toISOString() }
}

/** Where an account is told, without the key that signs it. */
export function webhookToWire(account: string, webhook: WebhookView): WireWebhook {
  return {
    account,
    url: webhook.url,
    createdAt: webhook.createdAt.toISOString(),
    waiting: webhook.waiting,
    waitingSince: webhook.waitingSince?.toISOString() ?? null,
    givenUp: webhook.givenUp,
    problem: webhook.problem ?? null,
    problemAt: webhook.problemAt?.toISOString() ?? null,
    failures: webhook.failures,
    nextAttemptAt: webhook.nextAttemptAt?.toISOString() ?? null,
    deliveredAt: webhook.deliveredAt?.toISOString() ?? null,
  }
}

/** How one delivery went. */
export function webhookTestToWire(test: WebhookTestView): WireWebhookTest {
  const { eventId, status, problem, ms } = test
  return {
    delivered: problem === undefined,
    eventId,
    status: status ?? null,
    problem: problem ?? null,
    ms,
  }
}

/** Something that happened. */
export function eventToWire(event: EventView): WireEvent {
  return {
    id: event.id,
    at: event.at.toISOString(),
    account: event.account,
    kind: event.kind,
    host: event.hostname ?? null,
    data: { ...event.data },
  }
}

/** A page, item by item. */
export function pageToWire<Item, Wire>(
  page: Page<Item>,
  itemToWire: (item: Item) => Wire,
): { items: Wire[]; nextCursor: string | null } {
  return { items: page.items.map((item) => itemToWire(item)), nextCursor: page.nextCursor ?? null }
}
