/**
 * Why a host needs a certificate, most urgent first: the order in which hosts come to a CA.
 * `replace-now` is a certificate that was revoked, or that the CA wants replaced at once; `idle` is
 * the renewal of a host that nobody visits.
 */
export const URGENCIES = ['expiring', 'replace-now', 'first', 'renewal', 'idle'] as const

export type Urgency = (typeof URGENCIES)[number]

/** As it is stored and sorted: 0 is the most urgent. */
export function urgencyRank(urgency: Urgency): number {
  return URGENCIES.indexOf(urgency)
}
