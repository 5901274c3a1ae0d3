import type { AccountTable } from './account-table.ts'
import type { Desks } from './desks.ts'
import { AcmeError } from './errors.ts'
import type { AcmeStatus, Authority, AuthorityStatus, CaHealth } from './issuer.ts'
import type { OrderTable } from './order-table.ts'
import type { Directory } from './protocol/wire.ts'
import type { Desk } from './work.ts'

const OPEN_ORDERS_SHOWN_MAX = 1_000
const PAUSED_NAMES_SHOWN_MAX = 100

/** CAs, accounts, budgets and open orders, for people. Asks no CA but for a directory. */
export async function describeOffice(
  { preferred }: Desks,
  { accountTable, orders }: { readonly accountTable: AccountTable; readonly orders: OrderTable },
): Promise<AcmeStatus> {
  const authorities = await Promise.all(preferred.map(describeDesk))
  const [first] = authorities
  if (!first) throw new AcmeError('acme/bad-request', 'acme.ca names no CA')
  const { name, directoryUrl, caaIdentities, accountUrl } = first
  return {
    authority: { name, directoryUrl, caaIdentities, accountUrl },
    authorities,
    accounts: await accountTable.all(),
    openOrders: await orders.open(OPEN_ORDERS_SHOWN_MAX),
  }
}

async function describeDesk(desk: Desk): Promise<AuthorityStatus> {
  const { authority, health, ledger, profile } = desk
  const [{ condition, error }, who, budgets, paused] = await Promise.all([
    health.read(),
    whoIs(desk),
    ledger.status(authority),
    ledger.pausedNames(authority),
  ])
  return {
    ...who,
    // For people, who read why: it cannot be used.
    health: condition.kind === 'refuses-us' ? 'down' : condition.kind,
    heldUntil: condition.kind === 'up' ? undefined : condition.until,
    why: error?.message,
    budgets,
    profile,
    pausedNames: paused.slice(0, PAUSED_NAMES_SHOWN_MAX),
  }
}

/** Who the CA is; its names in CAA records from its directory, if that can be had. */
export async function whoIs(desk: Desk): Promise<Authority> {
  const { name, directoryUrl, caaIdentities } = desk.authority
  const accountUrl = (await desk.accounts.known())?.url
  const told = await toldIdentities(desk)
  return { name, directoryUrl, caaIdentities: told.length > 0 ? told : caaIdentities, accountUrl }
}

/** Judging CAA records must not depend on the CA being there right now, nor wait for one that is away. */
async function toldIdentities({ protocol, health }: Desk): Promise<readonly string[]> {
  const known = protocol.knownDirectory()
  if (known) return known.meta.caaIdentities
  if ((await health.read()).condition.kind !== 'up') return []
  try {
    return (await protocol.directory()).meta.caaIdentities
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error
    await health.noteError(error)
    return []
  }
}

/** Asks the CA for its directory now, and compares it with how we are set up. */
export async function checkDesk(desk: Desk, signal: AbortSignal): Promise<CaHealth> {
  const { protocol, health } = desk
  const { name } = desk.authority
  try {
    const caDate = await protocol.readClock(signal)
    const { meta } = await protocol.directory()
    const obstacle = obstacleIn(meta, desk)
    return { kind: 'reachable', name, caDate, terms: meta.termsOfService, obstacle }
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error
    await health.noteError(error)
    return { kind: 'unreachable', name, reason: error.message, fix: error.fix }
  }
}

/** What an order or our account would be refused for. */
function obstacleIn(
  { externalAccountRequired, profiles }: Directory['meta'],
  { hasExternalAccount, profile }: Pick<Desk, 'hasExternalAccount' | 'profile'>,
): { readonly reason: string; readonly fix: string } | undefined {
  if (externalAccountRequired && !hasExternalAccount) {
    const reason = 'it serves only customers it knows already'
    return { reason, fix: 'Set acme.eab to the kid:hmac that it gives its customers.' }
  }
  if (profile === undefined || Object.hasOwn(profiles, profile)) return undefined
  const offered = Object.keys(profiles).join(', ')
  const fix = `Set acme.profile to one of ${offered || 'none: it has none'}, or leave it out.`
  return { reason: `it has no profile ${profile}`, fix }
}
