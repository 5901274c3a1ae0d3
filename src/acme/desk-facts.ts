import type { KnownHealth } from './authority-health.ts'
import type { CaStanding } from './ca-choice.ts'
import { AcmeError } from './errors.ts'
import type { IssueNeed } from './issuer.ts'
import { orderKindOf } from './order-kind.ts'
import type { OrderRecord } from './order-table.ts'
import { overBudget } from './over-budget.ts'
import { restOf } from './pause-plan.ts'
import type { Desk } from './work.ts'

/** An order that was left open, and where. */
export interface OpenElsewhere {
  readonly row: OrderRecord
  /** `undefined`: nobody knows any more which CA it was placed at. */
  readonly owner: Desk | undefined
  /** `over`: it is open for longer than the certificate can wait for it. */
  readonly patience: 'left' | 'over'
}

/**
 * Who has no time left gets a certificate of the CA's default profile where ours was withdrawn, so
 * that is no obstacle.
 */
export function isDefaultEnough({ urgency }: IssueNeed, error: AcmeError | undefined): boolean {
  return urgency === 'expiring' && error?.code === 'acme/profile-unknown'
}

/** A desk, how it stands, and the error that says why not, if it does not stand well. */
export interface DeskFacts {
  readonly desk: Desk
  readonly standing: CaStanding
  readonly error: AcmeError | undefined
  /** The host has failed there too often: another CA would see the same. */
  readonly hostsFault: AcmeError | undefined
}

/** Collects what is known of a desk for one order. Asks the store, and no CA. */
export async function factsAt(
  desk: Desk,
  need: IssueNeed,
  open: OpenElsewhere | undefined,
): Promise<DeskFacts> {
  const { authority, ledger, health, accounts } = desk
  const { name } = authority
  const { hostname, urgency, allowedCas } = need
  const known = await health.read()
  const isWell = isDefaultEnough(need, known.error)
  const { condition, error } = isWell ? WELL : known
  const caa = allowedCas === undefined || allowedCas.includes(name) ? 'allows' : 'forbids'
  const rest = await restAt(desk, need)
  const isPaused = rest?.code === 'acme/paused'
  const standing: CaStanding = {
    ...{ name, caa, health: condition, isPaused },
    budget: { kind: 'room' },
  }
  const byHost = (fault: AcmeError) => (caa === 'allows' ? fault : undefined)
  if (rest) {
    return { desk, standing, error: rest, hostsFault: isPaused ? undefined : byHost(rest) }
  }
  const asItIs: DeskFacts = { desk, standing, error, hostsFault: undefined }
  // An order that was placed has been paid for.
  const isPaidFor = open?.owner === desk && open.row.url !== undefined
  if (error || isPaidFor) return asItIs
  const kind = await orderKindOf(need, (await accounts.known())?.id, desk)
  const verdict = await ledger.peek({ ca: authority, kind, urgency, hostname })
  if (verdict.kind === 'allowed') return asItIs
  const { limit, until } = verdict
  const denied = overBudget(verdict)
  return {
    desk,
    standing: { ...standing, budget: { kind: 'empty', until } },
    error: denied,
    hostsFault: limit === 'failures-per-name' ? byHost(denied) : undefined,
  }
}

const WELL: KnownHealth = { condition: { kind: 'up' }, error: undefined }

/** Why the name has to rest at this CA, if it has to. */
async function restAt(
  { authority, ledger, clock }: Desk,
  { hostname, askedAt }: IssueNeed,
): Promise<AcmeError | undefined> {
  const standing = await ledger.standing(authority, hostname)
  const retryAt = restOf(standing, { now: clock.now(), askedAt })
  if (!retryAt) return undefined
  if (!standing.pausedAt) {
    const message = `${standing.failuresInARow} validations in a row have failed`
    return new AcmeError('acme/over-budget', message, { retryAt })
  }
  return new AcmeError('acme/paused', standing.unpauseUrl ?? '', { retryAt })
}
