import type { HeldCertificate } from './certificate-book.ts'
import type { ExpiryCause } from './meter.ts'
import type { Population } from './population.ts'
import { HOUR_MS, type Scenario } from './scenario.ts'

/**
 * For so long at a stretch all must have been right for an expiry to count as avoidable. A host that
 * fails is looked at once a day, and up to a fifth later; the rest is for its place in the queue.
 */
const LONG_ENOUGH_MS = 48 * HOUR_MS

/**
 * Was it to be avoided that a certificate ran out? It was if DNS still led to us then, and if there
 * were, between its planned renewal and its end, 48 hours at a stretch in which DNS was right (for us
 * and for the CA) and one of the CAs we may use was up. That a budget was empty is no excuse: planning
 * so that it is not is what is being tried. Where DNS leads elsewhere, nobody meets the certificate.
 */
export function judgeEnd(
  host: number,
  { renewAtMs, notAfterMs }: Pick<HeldCertificate, 'renewAtMs' | 'notAfterMs'>,
  {
    population,
    outages,
  }: {
    readonly population: SeenDns
    /** In which no CA that may be used is up. */
    readonly outages: Scenario['outages']
  },
): ExpiryCause {
  if (population.dnsAt(host, notAfterMs) !== 'right') return 'dns-wrong'
  const span = { fromMs: renewAtMs, toMs: notAfterMs }
  const wrong = wrongSpans(host, span, population)
  if (longestGap(span, wrong) < LONG_ENOUGH_MS) return 'dns-wrong'
  return longestGap(span, [...wrong, ...outages]) < LONG_ENOUGH_MS ? 'ca-down' : 'avoidable'
}

type SeenDns = Pick<Population, 'dnsAt' | 'dnsChangesMs'>

interface Span {
  readonly fromMs: number
  readonly toMs: number
}

function wrongSpans(host: number, { fromMs, toMs }: Span, population: SeenDns): readonly Span[] {
  const spans: Span[] = []
  for (let at = fromMs; at < toMs; ) {
    const until = Math.min(toMs, population.dnsChangesMs(host, at))
    if (population.dnsAt(host, at) !== 'right') spans.push({ fromMs: at, toMs: until })
    at = until
  }
  return spans
}

/** The longest part of a span that none of the others touches. */
function longestGap({ fromMs, toMs }: Span, taken: readonly Span[]): number {
  let [longest, freeFrom] = [0, fromMs]
  for (const span of taken.toSorted((one, other) => one.fromMs - other.fromMs)) {
    longest = Math.max(longest, Math.min(span.fromMs, toMs) - freeFrom)
    freeFrom = Math.max(freeFrom, span.toMs)
  }
  return Math.max(longest, toMs - freeFrom)
}
