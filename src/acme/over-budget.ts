import type { BudgetVerdict } from './budget.ts'
import { AcmeError } from './errors.ts'

type Denied = Extract<BudgetVerdict, { readonly kind: 'denied' }>

/**
 * The refusal that we spare the CA. It is of all our orders (`common`) where the limit is the
 * account's, else of one.
 */
export function overBudget({ limit, until, scope }: Denied): AcmeError {
  const message = `${WORDS_BY_LIMIT[limit]}, until ${until.toISOString()}`
  const askedFor = scope === 'account' ? 'common' : 'one-order'
  return new AcmeError('acme/over-budget', message, { retryAt: until, askedFor })
}

const WORDS_BY_LIMIT: Readonly<Record<Denied['limit'], string>> = {
  'orders-per-account': 'the limit on the orders of our account',
  'certificates-per-domain': 'the limit on certificates for the domain of this name',
  'certificates-per-name': 'the limit on certificates for exactly this name',
  'failures-per-name': 'the limit on failed validations of this name',
  'own-pace': 'our own pace, which spreads renewals evenly',
  'told-to-wait': 'the CA told us to wait',
}
