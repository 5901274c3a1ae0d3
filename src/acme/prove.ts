import type { Hostname } from '../kernel/index.ts'
import { AcmeError, type AcmeProblem, challengeProblemToError, problemToError } from './errors.ts'
import { pollOrder } from './poll.ts'
import type { Authorization, Order } from './protocol/wire.ts'
import type { Desk, Work } from './work.ts'

/**
 * Proves to the CA that the name is ours, by HTTP-01 (RFC 8555 §8.3): shows the answer, says so, and
 * waits for the order to move on. What was proved lately need not be proved again. The answer is
 * shown until the order ends: before that, the CA may look once more.
 */
export async function proveControl(work: Work, order: Order, desk: Desk): Promise<Order> {
  const { hostname, session, signal } = work
  const { challenges } = desk
  for (const url of order.authorizations) {
    const authorization = await session.readAuthorization(url)
    if (authorization.status === 'valid') continue
    const { token, url: challengeUrl, status } = httpChallengeOf(authorization, hostname)
    await challenges.show(hostname, token, session.keyAuthorization(token))
    // 'processing': an earlier attempt said it already.
    if (status === 'pending') await session.startChallenge(challengeUrl)
  }
  const { readOrder } = session
  return pollOrder({ order, what: 'validation', readOrder }, desk, signal)
}

interface HttpChallenge {
  readonly token: string
  readonly url: string
  readonly status: string
}

function httpChallengeOf(authorization: Authorization, hostname: Hostname): HttpChallenge {
  const { identifier, challenges, status } = authorization
  if (identifier.value !== hostname) {
    throw new AcmeError('acme/bad-answer', 'it asks for proof of another name')
  }
  const failure = challengeFailure(authorization)
  if (failure) throw challengeProblemToError(failure)
  if (status !== 'pending') throw new AcmeError('acme/not-valid', `the authorization is ${status}`)
  const challenge = challenges.find(({ type }) => type === 'http-01')
  if (challenge?.token === undefined) {
    throw new AcmeError('acme/name-refused', 'it offers no validation over http')
  }
  return { token: challenge.token, url: challenge.url, status: challenge.status }
}

/** Finds out why the CA ended an order: the challenge knows best, then the order itself. */
export async function whyInvalid({ session }: Work, order: Order): Promise<AcmeError> {
  for (const url of order.authorizations) {
    const failure = challengeFailure(await session.readAuthorization(url))
    if (failure) return challengeProblemToError(failure)
  }
  if (order.error) return problemToError(order.error, undefined)
  return new AcmeError('acme/not-valid', '')
}

function challengeFailure({ challenges }: Authorization): AcmeProblem | undefined {
  return challenges.find(({ status, error }) => status === 'invalid' && error)?.error
}
