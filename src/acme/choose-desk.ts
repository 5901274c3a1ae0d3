import type { Certificate } from '../certs/index.ts'
import { after, hours, minutes } from '../kernel/index.ts'
import { type CaChoice, chooseCa } from './ca-choice.ts'
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
      readonly because: Extract<CaChoice, { readonly kind: 'go' }>['because'] | 'open-order'
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
  const open = row && { row, owner: await desks.ofAccount(row.accountId) }
  if (open?.owner) {
    const { standing } = await factsAt(open.owner, need, open)
    const alone = chooseCa({ authorities: [standing], need: toCaNeed(need), now: clock.now() })
    if (alone.kind === 'go') {
      return { kind: 'go', desk: open.owner, because: 'open-order', leaving: undefined }
    }
  }
  const verdict = clockGuard.verdict()
  if (verdict.kind === 'wrong' && verdict.isRecent) {
    const [desk] = desks.preferred
    if (desk) return notNow('wait', { desk, error: wrongClock(verdict.skew, clock.now()) }, need)
  }
  return chooseAmong(desks.preferred, { need, open })
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
