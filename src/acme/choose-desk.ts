import type { Certificate } from '../certs/index.ts'
import { after, hours, minutes } from '../kernel/index.ts'
import { type CaChoice, chooseCa, isOverdue } from './ca-choice.ts'
import { wrongClock } from './clock-guard.ts'
import { type DeskFacts, factsAt, type OpenElsewhere } from './desk-facts.ts'
import type { Desks } from './desks.ts'
import { AcmeError } from './errors.ts'
import { unusedCertificate } from './issue.ts'
import type { Admission, IssueNeed } from './issuer.ts'
import type { OrderRecord } from './order-table.ts'
import { toReason } from './reasons.ts'
import type { Desk, OfficeDeps } from './work.ts'

/** Where a certificate is to be had, and what has to be done first. */
export type DeskChoice =
  /** It is there, and nobody has put it to use. */
  | { readonly kind: 'is-there'; readonly certificate: Certificate }
  | {
      readonly kind: 'go'
      readonly desk: Desk
      readonly because:
        | Extract<CaChoice, { readonly kind: 'go' }>['because']
        | ('open-order' | 'order-stuck')
      /** An order at another CA that is not gone on with. */
      readonly leaving: OpenElsewhere | undefined
    }
  | { readonly kind: 'not-now'; readonly admission: Exclude<Admission, { readonly kind: 'go' }> }

/** How long until CAA records are worth another look. */
const CAA_LASTS = hours(1)
/** Until somebody asks again whether a CA is back, if nothing better is known. */
const DOWN_LASTS = minutes(1)

/**
 * Chooses where to go for a certificate, by what we know: no CA is asked. An open order is gone on
 * with wherever it is, as long as its CA can be asked: it has been paid for.
 */
export async function chooseDesk(
  need: IssueNeed,
  desks: Desks,
  office: OfficeDeps,
): Promise<DeskChoice> {
  const { clock, clockGuard, orders } = office
  const latest = await orders.latest(need.hostname)
  const certificate = latest && (await unusedCertificate(latest, need, office))
  if (certificate) return { kind: 'is-there', certificate }

  const row = latest && isOpen(latest) ? latest : undefined
  const open = row && (await openElsewhere(row, need, { desks, office }))
  const goingOn = open && (await goOn(open, need, { desks, office }))
  if (goingOn) return goingOn
  const verdict = clockGuard.verdict()
  if (verdict.kind === 'wrong' && verdict.isRecent) {
    const [desk] = desks.preferred
    if (desk) return notNow('wait', { desk, error: wrongClock(verdict.skew, clock.now()) }, need)
  }
  return chooseAmong(desks.preferred, { need, open })
}

async function openElsewhere(
  row: OrderRecord,
  need: IssueNeed,
  { desks, office }: { readonly desks: Desks; readonly office: OfficeDeps },
): Promise<OpenElsewhere> {
  const patience = isOverdue(row.createdAt, toCaNeed(need), office.clock.now()) ? 'over' : 'left'
  return { row, owner: await desks.ofAccount(row.accountId), patience }
}

/** Where the order is, if it can be gone on with; but for one that is overdue, where another CA could do. */
async function goOn(
  open: OpenElsewhere,
  need: IssueNeed,
  { desks, office }: { readonly desks: Desks; readonly office: OfficeDeps },
): Promise<DeskChoice | undefined> {
  const { owner, patience } = open
  if (!owner) return undefined
  const { standing } = await factsAt(owner, need, open)
  const now = office.clock.now()
  const alone = chooseCa({ authorities: [standing], need: toCaNeed(need), now })
  if (alone.kind !== 'go') return undefined
  const others = desks.preferred.filter((desk) => desk !== owner)
  if (patience === 'over' && others.length > 0) {
    const choice = await chooseAmong(others, { need, open })
    if (choice.kind === 'go') return { ...choice, because: 'order-stuck' }
  }
  return { kind: 'go', desk: owner, because: 'open-order', leaving: undefined }
}

function isOpen({ state }: OrderRecord): boolean {
  return state === 'intended' || state === 'placed'
}

async function chooseAmong(
  preferred: readonly Desk[],
  { need, open }: { readonly need: IssueNeed; readonly open: OpenElsewhere | undefined },
): Promise<DeskChoice> {
  const facts: DeskFacts[] = []
  let choice: CaChoice = { kind: 'none-allowed' }
  for (const desk of preferred) {
    const seen = await factsAt(desk, need, open)
    facts.push(seen)
    if (seen.hostsFault) return notNow('wait', { desk, error: seen.hostsFault }, need)
    const authorities = facts.map(({ standing }) => standing)
    choice = chooseCa({ authorities, need: toCaNeed(need), now: desk.clock.now() })
    // The CAs that are preferred less cannot change that.
    if (choice.kind === 'go') break
  }
  return conclude(choice, facts, { need, open })
}

function conclude(
  choice: CaChoice,
  facts: readonly DeskFacts[],
  { need, open }: { readonly need: IssueNeed; readonly open: OpenElsewhere | undefined },
): DeskChoice {
  const wanted = choice.kind === 'none-allowed' ? undefined : choice.ca
  const chosen = facts.find(({ standing }) => standing.name === wanted) ?? facts[0]
  if (!chosen) throw new AcmeError('acme/bad-request', 'acme.ca names no CA')
  const { desk } = chosen
  switch (choice.kind) {
    case 'go': {
      const isElsewhere = open !== undefined && open.owner !== desk
      return { kind: 'go', desk, because: choice.because, leaving: isElsewhere ? open : undefined }
    }
    case 'none-allowed': {
      const retryAt = after(desk.clock.now(), CAA_LASTS)
      const error = new AcmeError('acme/forbidden-by-caa', '', { retryAt })
      return notNow('wait', { desk, error }, need)
    }
    case 'wait': {
      const error = chosen.error ?? new AcmeError('acme/unavailable', '')
      const isSharedBudget = error.code === 'acme/over-budget' && error.askedFor === 'common'
      return notNow(isSharedBudget ? 'queue' : 'wait', { desk, error, until: choice.until }, need)
    }
  }
}

function notNow(
  kind: 'queue' | 'wait',
  why: { readonly desk: Desk; readonly error: AcmeError; readonly until?: Date | undefined },
  { hostname }: IssueNeed,
): DeskChoice {
  const { desk, error } = why
  const reason = toReason(error, { authority: desk.authority, hostname })
  if (kind === 'queue') return { kind: 'not-now', admission: { kind, reason } }
  const until = why.until ?? error.retryAt ?? after(desk.clock.now(), DOWN_LASTS)
  return { kind: 'not-now', admission: { kind, reason, until } }
}

function toCaNeed({ urgency, replacing, waitingSince }: IssueNeed) {
  return { urgency, waitingSince, notAfter: replacing?.notAfter, renewAt: replacing?.renewAt }
}
