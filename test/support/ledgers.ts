import type { CertificateAuthority } from '../../src/acme/cas/certificate-authority.ts'
import { letsencrypt } from '../../src/acme/cas/letsencrypt.ts'
import { createLedger, type OrderToPlace } from '../../src/acme/ledger.ts'
import type { CaLimits } from '../../src/acme/limits.ts'
import { type Clock, days, type Hostname, parseHostname } from '../../src/kernel/index.ts'
import type { Store } from '../../src/store/index.ts'
import type { FakeClock } from './fake-clock.ts'

/** A host name, parsed. */
export function aName(text = 'email.customer.com'): Hostname {
  const hostname = parseHostname(text)
  if (!hostname) throw new Error(`${text} is no name`)
  return hostname
}

/** Let's Encrypt with other limits on orders. */
export function aCa(orders: CaLimits['orders']): CertificateAuthority {
  return { ...letsencrypt, limits: { ...letsencrypt.limits, orders } }
}

/** A ledger, what it reports, and how many statements it sends. */
export function aLedger(store: Store, clock: Clock, fleet = { hosts: 100, termMs: days(60) }) {
  const unforeseen: { readonly hostname: string; readonly scope: string }[] = []
  const left = new Map<string, number>()
  const record = {
    unforeseenRateLimit: (one: (typeof unforeseen)[number]) => void unforeseen.push(one),
    budgetLeft: (one: { limit: string; left: number }) => void left.set(one.limit, one.left),
  }
  const ledger = createLedger({ store, clock, record }, { fleet: () => fleet })
  const order = (more: Partial<OrderToPlace> = {}): OrderToPlace => ({
    ...{ ca: letsencrypt, kind: 'first', urgency: 'first', hostname: aName(), ...more },
  })
  const spend = (more: Partial<OrderToPlace> = {}) =>
    store.transaction((trx) => ledger.spend(order(more), trx))
  return { ledger, unforeseen, left, order, spend, peek: (more = {}) => ledger.peek(order(more)) }
}

/** A clock whose wall can be set without time passing. */
export function settable(clock: FakeClock) {
  let setMs = 0
  return {
    ...{ monotonicMs: clock.monotonicMs, sleep: clock.sleep },
    now: () => new Date(clock.now().getTime() + setMs),
    set: (ms: number) => {
      setMs += ms
    },
  }
}
