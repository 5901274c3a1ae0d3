import { AppError, type AppErrorOptions } from '../kernel/index.ts'

/** What can go wrong with a certificate authority. Stable: dashboards match on these. */
const ACME_ERROR_CODES = [
  'acme/account-refused', // an account is needed that we may not have: EAB, or people must act
  'acme/account-unknown', // the CA has forgotten our account
  'acme/already-replaced', // the order said it replaces a certificate that was replaced before
  'acme/bad-answer', // the reply is not what RFC 8555 promises
  'acme/bad-nonce', // again and again
  'acme/bad-request', // the CA finds fault with what we sent
  'acme/bad-roots', // acme.roots cannot be read
  'acme/challenge-connection', // the CA could not connect to the host
  'acme/challenge-dns', // the CA could not resolve the host
  'acme/challenge-wrong-answer', // the CA got another answer than ours
  'acme/clock-wrong', // ours, by more than certificates forgive
  'acme/forbidden-by-caa',
  'acme/name-refused', // the CA will not issue for this name
  'acme/not-valid', // an order or authorization ended without saying why
  'acme/order-not-ready',
  'acme/over-budget', // by our own count the CA would refuse: it was not asked
  'acme/paused', // the CA waits for a person to lift the pause
  'acme/profile-unknown',
  'acme/rate-limited', // retryAt says when
  'acme/terms-not-agreed',
  'acme/unauthorized', // outside a challenge: not our order, or the account is deactivated
  'acme/unavailable', // the CA is in trouble
  'acme/unreachable', // no answer: connection, TLS or time
] as const

export type AcmeErrorCode = (typeof ACME_ERROR_CODES)[number]

/** For codes that were stored. */
export function isAcmeErrorCode(text: string): text is AcmeErrorCode {
  return ACME_ERROR_CODES.some((code) => code === text)
}

/**
 * What helps when a connection failed with this code of TLS, if it is not the CA's to mend: by a
 * clock that is wrong, its certificate is over, or yet to come.
 */
export function fixForTls(code: string): string | undefined {
  if (code !== 'CERT_HAS_EXPIRED' && code !== 'CERT_NOT_YET_VALID') return undefined
  return "Look at this machine's clock first (timedatectl): the CA's certificate is judged by it."
}

/**
 * What was asked for when the CA refused: something that all our work needs (directory, nonce,
 * account), or a step of one order.
 */
export type AskedFor = 'common' | 'one-order'

export interface AcmeErrorOptions extends AppErrorOptions {
  readonly problem?: AcmeProblem | undefined
  readonly askedFor?: AskedFor | undefined
}

/** Thrown by everything that talks to a CA. `problem` is what the CA said, word for word. */
export class AcmeError extends AppError<AcmeErrorCode> {
  override readonly name = 'AcmeError'
  readonly problem: AcmeProblem | undefined
  readonly askedFor: AskedFor

  constructor(code: AcmeErrorCode, message: string, options: AcmeErrorOptions = {}) {
    super(code, message, options)
    this.problem = options.problem
    this.askedFor = options.askedFor ?? 'one-order'
  }
}

/** A problem document (RFC 7807; RFC 8555 §6.7), with the status it came with. */
export interface AcmeProblem {
  /** Without the prefix `urn:ietf:params:acme:error:`. */
  readonly type: string
  readonly detail: string
  readonly status: number | undefined
  /** RFC 8555 §6.7.1: one per name, where names fail for reasons of their own. */
  readonly subproblems: readonly AcmeSubproblem[]
}

export interface AcmeSubproblem {
  readonly type: string
  readonly detail: string
  readonly identifier: string | undefined
}

const CODE_BY_PROBLEM: Readonly<Record<string, AcmeErrorCode>> = {
  accountDoesNotExist: 'acme/account-unknown',
  alreadyReplaced: 'acme/already-replaced',
  alreadyRevoked: 'acme/bad-request',
  badCSR: 'acme/bad-request',
  badNonce: 'acme/bad-nonce',
  badPublicKey: 'acme/bad-request',
  badRevocationReason: 'acme/bad-request',
  badSignatureAlgorithm: 'acme/bad-request',
  caa: 'acme/forbidden-by-caa',
  conflict: 'acme/bad-request',
  connection: 'acme/challenge-connection',
  dns: 'acme/challenge-dns',
  externalAccountRequired: 'acme/account-refused',
  incorrectResponse: 'acme/challenge-wrong-answer',
  invalidContact: 'acme/bad-request',
  invalidProfile: 'acme/profile-unknown',
  malformed: 'acme/bad-request',
  orderNotReady: 'acme/order-not-ready',
  rateLimited: 'acme/rate-limited',
  rejectedIdentifier: 'acme/name-refused',
  serverInternal: 'acme/unavailable',
  tls: 'acme/challenge-connection',
  unauthorized: 'acme/unauthorized',
  unsupportedContact: 'acme/bad-request',
  unsupportedIdentifier: 'acme/name-refused',
  userActionRequired: 'acme/account-refused',
}

const SERVER_ERROR = 500

/**
 * Reads a problem from a CA. An unknown type counts as the CA's trouble.
 */
export function problemToError(
  problem: AcmeProblem,
  retryAt: Date | undefined,
  askedFor: AskedFor = 'one-order',
): AcmeError {
  const code = CODE_BY_PROBLEM[problem.type] ?? codeOfStatus(problem.status)
  return new AcmeError(code, problem.detail, { problem, retryAt, askedFor })
}

/**
 * Reads why a challenge failed. The same words mean more there: `unauthorized` is about the answer
 * the CA got from the host, not about our account.
 */
export function challengeProblemToError(problem: AcmeProblem): AcmeError {
  const error = problemToError(problem, undefined)
  if (error.code !== 'acme/unauthorized') return error
  return new AcmeError('acme/challenge-wrong-answer', problem.detail, { problem })
}

function codeOfStatus(status: number | undefined): AcmeErrorCode {
  if (status === 429) return 'acme/rate-limited'
  if (status === 401 || status === 403) return 'acme/unauthorized'
  if (status !== undefined && status < SERVER_ERROR) return 'acme/bad-request'
  return 'acme/unavailable'
}

/** The CA gave no verdict: what we asked for may or may not have happened there. */
export function isUncertain({ code }: AcmeError): boolean {
  return code === 'acme/unreachable' || isTroubleAtCa({ code })
}

/** An answer that is of no use, whatever was asked: when they come one after another, it is away. */
export function isTroubleAtCa({ code }: Pick<AcmeError, 'code'>): boolean {
  return code === 'acme/unavailable' || code === 'acme/bad-answer' || code === 'acme/bad-nonce'
}

/** The CA looked at the name and was not content: it counts such failures. */
export function isFailedValidation({ code }: AcmeError): boolean {
  return (
    code === 'acme/challenge-connection' ||
    code === 'acme/challenge-dns' ||
    code === 'acme/challenge-wrong-answer' ||
    code === 'acme/forbidden-by-caa'
  )
}

/** The order itself is still good: the same step may be tried again later. */
export function leavesOrderOpen(error: AcmeError): boolean {
  return (
    isUncertain(error) ||
    error.code === 'acme/rate-limited' ||
    error.code === 'acme/paused' ||
    error.code === 'acme/order-not-ready'
  )
}

/**
 * It will not serve us as we are: our account or our profile. A refusal of one step (`unauthorized`)
 * may be about that step alone, until others have heard the same.
 */
export function mayRefuseUs({ code }: Pick<AcmeError, 'code'>): boolean {
  return (
    code === 'acme/account-refused' ||
    code === 'acme/profile-unknown' ||
    code === 'acme/unauthorized'
  )
}

/** The same for sure: whoever asks next would hear it, too. */
export function refusesUs(error: Pick<AcmeError, 'code' | 'askedFor'>): boolean {
  if (!mayRefuseUs(error)) return false
  return error.code !== 'acme/unauthorized' || error.askedFor === 'common'
}

const SERVICE_UNAVAILABLE = 503

/** Whoever asks next would get the same answer: the CA is away, or has had enough of all of us. */
export function concernsEverybody({ code, problem, askedFor }: AcmeError): boolean {
  if (code === 'acme/unreachable' || problem?.status === SERVICE_UNAVAILABLE) return true
  return askedFor === 'common' && code === 'acme/rate-limited'
}
