import { after, type Clock, type Duration, minutes, seconds } from '../kernel/index.ts'
import type { AcmeRecord } from '../telemetry/index.ts'
import type { AuthorityTable, AuthorityTrouble } from './authority-table.ts'
import type { CaCondition } from './ca-choice.ts'
import {
  AcmeError,
  concernsEverybody,
  fixForTls,
  isAcmeErrorCode,
  isTroubleAtCa,
  isUncertain,
  mayRefuseUs,
  refusesUs,
} from './errors.ts'

/**
 * Keeps 10,000 hosts from asking a CA that has just told the first of them to wait, or that does not
 * answer. Shared by all nodes through the store, and by the next run of the program.
 */
export interface AuthorityHealth {
  /** How the CA is, as far as is known; and what it said when something is wrong. */
  read(): Promise<KnownHealth>
  /**
   * May it be asked now? Of those who wait for one that was away, the first may, and the others when
   * that one has come back, or a minute later.
   */
  enter(): Promise<boolean>
  /** Something went wrong; noted if it concerns more than one host. */
  noteError(error: AcmeError): Promise<void>
  /** It did what it was asked to. */
  noteSuccess(): Promise<void>
  /** It took a step of an order: it can be reached, whatever comes of the order. */
  noteAnswer(): Promise<void>
}

export interface KnownHealth {
  readonly condition: CaCondition
  readonly error: AcmeError | undefined
}

/** When the CA does not say how long. */
const HOLD: Duration = minutes(1)
/** Even if the CA says 0. */
const HOLD_MIN: Duration = seconds(5)
/** So many answers in a row that are of no use, and it counts as away. */
const TROUBLES_MAX = 5

export interface AuthorityHealthDeps {
  readonly table: AuthorityTable
  readonly clock: Clock
  readonly record: Pick<AcmeRecord, 'authorityTroubled' | 'authorityBack'>
}

export function createAuthorityHealth(
  deps: AuthorityHealthDeps,
  { ca }: { readonly ca: string },
): AuthorityHealth {
  const { clock } = deps
  const book = createTroubleBook(deps, ca)
  let troublesInARow = 0
  let refusalsInARow = 0

  const noteSuccess = async (): Promise<void> => {
    troublesInARow = 0
    refusalsInARow = 0
    await book.clear()
  }
  const noteRefusal = async (error: AcmeError): Promise<void> => {
    troublesInARow = 0
    refusalsInARow += 1
    const known = book.latest()
    const isSure = refusesUs(error) || refusalsInARow >= TROUBLES_MAX
    if (isSure || (known && isRefusal(known))) await book.note(error, 'away')
    else await book.clear()
  }
  return {
    read: async () => toHealth(await book.look(), clock.now()),
    enter: book.enter,
    noteError: async (error) => {
      if (mayRefuseUs(error)) return noteRefusal(error)
      // Whatever it has against this order: it is there.
      if (isVerdict(error)) return noteSuccess()
      const isTrouble = isTroubleAtCa(error)
      troublesInARow = isTrouble ? troublesInARow + 1 : 0
      const isAway = error.code === 'acme/unreachable' || isTrouble
      if (concernsEverybody(error)) await book.note(error, isAway ? 'away' : 'there')
      else if (troublesInARow >= TROUBLES_MAX) await book.note(error, 'away')
      else book.stopProbing()
    },
    noteSuccess,
    noteAnswer: async () => {
      // Answers that were of no use came to other steps, which are still to come.
      if (book.latest()?.code === 'acme/unreachable') await book.clear()
    },
  }
}

/** What is written down of a CA's trouble, and whose turn it is to see whether it is over. */
interface TroubleBook {
  look(): Promise<AuthorityTrouble | undefined>
  /** What `look` saw last, so that a CA that is well costs no write. */
  latest(): AuthorityTrouble | undefined
  enter(): Promise<boolean>
  note(error: AcmeError, where: 'away' | 'there'): Promise<void>
  clear(): Promise<void>
  stopProbing(): void
}

function createTroubleBook({ table, clock, record }: AuthorityHealthDeps, ca: string): TroubleBook {
  let seen: AuthorityTrouble | undefined
  /** We are the one who may ask whether it is back. */
  let isProbing = false
  /** What it refuses us for may have been set right before we started: so we hear it ourselves. */
  let hasHeard = false

  const look = async (): Promise<AuthorityTrouble | undefined> => {
    seen = await table.find(ca)
    return seen && !hasHeard && isRefusal(seen) ? undefined : seen
  }
  return {
    look,
    latest: () => seen,
    enter: async () => {
      const trouble = await look()
      if (!trouble) {
        isProbing = seen !== undefined
        return true
      }
      const now = clock.now()
      if (trouble.heldUntil > now) return false
      if (!trouble.downSince) return true
      const heldUntil = after(now, HOLD)
      if (!(await table.postpone(ca, trouble.heldUntil, heldUntil))) return false
      seen = { ...trouble, heldUntil }
      isProbing = true
      return true
    },
    note: async (error, where) => {
      isProbing = false
      hasHeard = true
      const now = clock.now()
      const asked = error.retryAt ?? after(now, HOLD)
      const least = after(now, HOLD_MIN)
      seen = await table.worsen(ca, {
        downSince: where === 'away' ? now : undefined,
        heldUntil: asked > least ? asked : least,
        code: error.code,
        sentence: error.message,
      })
      const { downSince, heldUntil } = seen
      record.authorityTroubled({ ca, code: error.code, why: error.message, downSince, heldUntil })
    },
    clear: async () => {
      // What was under way when it told us to wait is no sign that the wait is over.
      if (!seen || (seen.heldUntil > clock.now() && !isProbing)) return
      isProbing = false
      await table.clear(ca, seen.heldUntil)
      seen = undefined
      record.authorityBack({ ca })
    },
    stopProbing: () => {
      isProbing = false
    },
  }
}

function isVerdict(error: AcmeError): boolean {
  return error.problem !== undefined && !isUncertain(error) && !concernsEverybody(error)
}

function toHealth(trouble: AuthorityTrouble | undefined, now: Date): KnownHealth {
  if (!trouble || trouble.heldUntil <= now) return { condition: { kind: 'up' }, error: undefined }
  return { condition: toCondition(trouble), error: toError(trouble) }
}

function toCondition(trouble: AuthorityTrouble): CaCondition {
  const { downSince: since, heldUntil: until } = trouble
  if (!since) return { kind: 'held', until }
  return { kind: isRefusal(trouble) ? 'refuses-us' : 'down', since, until }
}

function isRefusal({ code }: AuthorityTrouble): boolean {
  return isAcmeErrorCode(code) && mayRefuseUs({ code })
}

function toError({ code, sentence, heldUntil }: AuthorityTrouble): AcmeError {
  const known = isAcmeErrorCode(code) ? code : 'acme/unavailable'
  const fix = known === 'acme/unreachable' ? fixForTls(sentence) : undefined
  return new AcmeError(known, sentence, { retryAt: heldUntil, askedFor: 'common', fix })
}
