import { after, type Hostname, minutes, type Reason } from '../kernel/index.ts'
import { abandonOrder } from './abandon-order.ts'
import { chooseDesk, type DeskChoice } from './choose-desk.ts'
import { isDefaultEnough } from './desk-facts.ts'
import type { Desks } from './desks.ts'
import { AcmeError, concernsEverybody, mayRefuseUs } from './errors.ts'
import { issueOnce } from './issue.ts'
import type { Admission, IssueNeed, IssueOutcome } from './issuer.ts'
import type { createLimiter } from './limiter.ts'
import { linkIn, toReason } from './reasons.ts'
import type { Desk, OfficeDeps } from './work.ts'

interface Office {
  readonly desks: Desks
  readonly office: OfficeDeps
  readonly limit: ReturnType<typeof createLimiter>
}

/**
 * Gets a certificate from the CA to go to. If that one turns out to be away, or to want to be left
 * alone, once more from whichever is to be gone to then; each CA is tried once.
 */
export async function issueSomewhere(
  need: IssueNeed,
  { desks, office, limit }: Office,
  signal: AbortSignal,
): Promise<IssueOutcome> {
  const tried = new Set<Desk>()
  let latest: IssueOutcome | undefined
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const choice = await chooseDesk(need, desks, office)
    if (choice.kind === 'is-there') return { kind: 'issued', certificate: choice.certificate }
    if (choice.kind === 'not-now') {
      return latest ?? (await outcomeOf(choice.admission, need.hostname, { desks, office }))
    }
    if (latest && tried.has(choice.desk)) return latest
    const desk = await whereTo(choice, { hostname: need.hostname, office }, signal)
    tried.add(desk)
    const attempt = await limit(() => attemptAt(desk, need, signal), signal)
    // Somebody has heard meanwhile that the CA is not to be asked: that counts for the choice.
    if (attempt === 'not-now') continue
    latest = attempt.outcome
    if (!attempt.mayTryElsewhere) return latest
  }
  return latest ?? { kind: 'refused', reason: TOO_BUSY }
}

/** Each CA twice, and more CAs than anybody configures. */
const ROUNDS_MAX = 16

const TOO_BUSY: Reason = {
  code: 'ca/unavailable',
  sentence: 'No CA could be asked, although each looked as if it could.',
  fix: 'Nothing: it is tried again.',
}

type Going = Extract<DeskChoice, { readonly kind: 'go' }>

async function whereTo(
  { desk, because, leaving }: Going,
  { hostname, office }: { readonly hostname: Hostname; readonly office: OfficeDeps },
  signal: AbortSignal,
): Promise<Desk> {
  const ended = leaving && (await abandonOrder(leaving, { hostname, office }, signal))
  if (ended === 'to-be-finished' && leaving?.owner) return leaving.owner
  if (because !== 'preferred' && because !== 'open-order') {
    office.record.orderGoesElsewhere({ ca: desk.authority.name, hostname, because })
  }
  return desk
}

async function outcomeOf(
  admission: Exclude<Admission, { readonly kind: 'go' }>,
  hostname: Hostname,
  { desks, office }: Pick<Office, 'desks' | 'office'>,
): Promise<IssueOutcome> {
  const { reason } = admission
  if (admission.kind === 'queue') return { kind: 'queued', reason }
  const { until } = admission
  const retryAt = desks.preferred[0]?.brake.spread(until) ?? until
  return { kind: 'refused', reason, retryAt, orderUrl: await orderUrlOf(hostname, office) }
}

interface Attempt {
  readonly outcome: IssueOutcome
  /** It was not about this host. */
  readonly mayTryElsewhere: boolean
}

/**
 * A lost answer, a forgotten account and nonces that fail again and again cost one more attempt at
 * once, for they are overcome by picking up where we were; whatever else happens is for the caller's patience.
 */
const ATTEMPTS_MAX = 2

async function attemptAt(
  desk: Desk,
  need: IssueNeed,
  signal: AbortSignal,
): Promise<Attempt | 'not-now'> {
  // Asked again now that it is our turn: the CA may have told somebody to wait meanwhile.
  const isPassedOver = isDefaultEnough(need, (await desk.health.read()).error)
  if (!isPassedOver && !(await desk.health.enter())) return 'not-now'
  const startedMs = desk.clock.monotonicMs()
  for (let attempt = 1; ; attempt += 1) {
    try {
      const certificate = await issueOnce(need, desk, signal)
      if (!isPassedOver) await desk.health.noteSuccess()
      const { hostname, id: certificateId, notAfter, renewAt } = certificate
      const ms = desk.clock.monotonicMs() - startedMs
      const ca = desk.authority.name
      desk.record.certificateIssued({ ca, hostname, certificateId, notAfter, renewAt, ms })
      return { outcome: { kind: 'issued', certificate }, mayTryElsewhere: false }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof AcmeError)) throw error
      if (attempt < ATTEMPTS_MAX && isOvercomeAtOnce(error)) continue
      return explain(error, need, desk)
    }
  }
}

function isOvercomeAtOnce({ code }: AcmeError): boolean {
  return code === 'acme/unreachable' || code === 'acme/account-unknown' || code === 'acme/bad-nonce'
}

/** For a CA that says it was too much, and not how long: most limits give something back by then. */
const LIMIT_LASTS = minutes(5)

async function explain(thrown: AcmeError, { hostname }: IssueNeed, desk: Desk): Promise<Attempt> {
  const { authority, health, brake, record, clock } = desk
  const isTimeless = thrown.code === 'acme/rate-limited' && thrown.retryAt === undefined
  const error = isTimeless ? withRetryAt(thrown, after(clock.now(), LIMIT_LASTS)) : thrown
  await health.noteError(error)
  await noteLimit(error, hostname, desk)
  const reason = toReason(error, { authority, hostname })
  const isRefusing = (await health.read()).condition.kind === 'refuses-us'
  const mayTryElsewhere = isNotAboutHost(error) || (isRefusing && mayRefuseUs(error))
  if (error.code === 'acme/over-budget' && error.askedFor === 'common') {
    return { outcome: { kind: 'queued', reason }, mayTryElsewhere }
  }
  const retryAt = error.retryAt && brake.spread(error.retryAt)
  const { sentence } = reason
  record.issuanceRefused({ ca: authority.name, hostname, code: error.code, sentence, retryAt })
  const orderUrl = await orderUrlOf(hostname, desk)
  return { outcome: { kind: 'refused', reason, retryAt, orderUrl }, mayTryElsewhere }
}

function withRetryAt(cause: AcmeError, retryAt: Date): AcmeError {
  const { code, message, problem, askedFor } = cause
  return new AcmeError(code, message, { cause, problem, askedFor, retryAt })
}

/** What the CA says about its limits is kept in the ledger; what holds back all, with its health. */
async function noteLimit(
  { code, askedFor, retryAt, message }: AcmeError,
  hostname: Hostname,
  { authority, ledger, record }: Desk,
): Promise<void> {
  if (askedFor === 'common') {
    if (code !== 'acme/rate-limited' || !retryAt) return
    record.unforeseenRateLimit({ ca: authority.name, hostname, retryAt, scope: 'account' })
    return
  }
  if (code === 'acme/rate-limited' && retryAt) {
    await ledger.refused(authority, { hostname, retryAt })
  }
  if (code === 'acme/paused') await ledger.paused(authority, hostname, linkIn(message))
}

/** Then another CA may do better at once. What is wrong with the host would be so there, too. */
function isNotAboutHost(error: AcmeError): boolean {
  const { code } = error
  return (
    concernsEverybody(error) ||
    code === 'acme/rate-limited' ||
    code === 'acme/paused' ||
    code === 'acme/over-budget'
  )
}

async function orderUrlOf(
  hostname: Hostname,
  { orders }: Pick<OfficeDeps, 'orders'>,
): Promise<string | undefined> {
  return (await orders.latest(hostname))?.url
}
