/**
 * ACME (RFC 8555) as Postern needs it: account, order, authorization, challenge, finalize, download,
 * the list of orders, renewal information (RFC 9773), deactivation of authorizations, and revocation by
 * the account's key. Not done: key rollover, dns-01, tls-alpn-01, alternate chains.
 */
import type { KeyObject } from 'node:crypto'
import { type Clock, createSingleFlight } from '../../kernel/index.ts'
import type { AcmeRecord } from '../../telemetry/index.ts'
import { AcmeError } from '../errors.ts'
import type { RequestKind } from '../limits.ts'
import type { RequestPace } from '../request-pace.ts'
import { createJwsEngine, type ExternalAccount } from './jws-engine.ts'
import { createNoncePool } from './nonce-pool.ts'
import { clockOf, isBadNonce, parseReply, replyToError, retryAtOf } from './reply.ts'
import { type AcmeSession, createSession } from './session.ts'
import type { HttpQuestion, HttpReply, Transport } from './transport.ts'
import { type Directory, directorySchema, type RenewalInfo, renewalInfoSchema } from './wire.ts'

/** One CA, spoken to by one process. Nonces and connections are shared by all its sessions. */
export interface AcmeProtocol {
  /** Kept for a day. Throws what every request may throw. */
  directory(): Promise<Directory>
  /** What is kept of it, without asking. */
  knownDirectory(): Directory | undefined
  /**
   * When the CA wants a certificate renewed, and when to ask again. `undefined`: it offers no such
   * information. Throws what every request may throw.
   */
  renewalInfo(certificateId: string, signal: AbortSignal): Promise<RenewalAdvice | undefined>
  /** The CA's clock, by the `Date` of a directory fetched now. */
  readClock(signal: AbortSignal): Promise<Date | undefined>
  /** Opens a session for one piece of work; `signal` ends all its requests. */
  openSession(credentials: Credentials, signal: AbortSignal): Promise<AcmeSession>
}

export interface RenewalAdvice {
  readonly info: RenewalInfo
  readonly retryAt: Date | undefined
}

export interface Credentials {
  readonly key: KeyObject
  readonly publicJwk: object
  /** The account's URL, once there is one. */
  readonly accountUrl?: string | undefined
}

export interface ProtocolDeps {
  readonly transport: Transport
  readonly clock: Clock
  readonly record: Pick<AcmeRecord, 'requestAnswered'>
  /** Waits until a request of this kind is due. */
  readonly pace: RequestPace
  /** Told what time it is at the CA, with every answer. */
  readonly onClock: (caDate: Date) => void
  /** Ends what no session's signal ends. */
  readonly closing: AbortSignal
}

const DIRECTORY_MS_MAX = 24 * 3_600_000

export function createProtocol(
  deps: ProtocolDeps,
  {
    directoryUrl,
    externalAccount,
  }: { readonly directoryUrl: string; readonly externalAccount?: ExternalAccount | undefined },
): AcmeProtocol {
  const { clock, closing } = deps
  const nonces = createNoncePool(clock)
  const flight = createSingleFlight<'directory', Directory>()
  let known: { readonly directory: Directory; readonly atMs: number } | undefined

  const send = createSend(deps)
  const fetchDirectory = async (signal: AbortSignal): Promise<HttpReply> => {
    const reply = await send({ method: 'GET', url: directoryUrl }, 'directory', signal)
    const error = replyToError(reply, clock.now(), 'common')
    if (error) throw error
    known = { directory: parseReply(directorySchema, reply), atMs: clock.monotonicMs() }
    return reply
  }
  const directory = async (): Promise<Directory> => {
    if (known && clock.monotonicMs() - known.atMs < DIRECTORY_MS_MAX) return known.directory
    return flight('directory', async () =>
      parseReply(directorySchema, await fetchDirectory(closing)),
    )
  }
  const nonce = async (signal: AbortSignal): Promise<string> => {
    const pooled = nonces.take()
    if (pooled !== undefined) return pooled
    const { newNonce } = await directory()
    const reply = await send({ method: 'HEAD', url: newNonce }, 'new-nonce', signal)
    const error = replyToError(reply, clock.now(), 'common')
    if (error) throw error
    const fresh = nonceOf(reply)
    if (fresh !== undefined) return fresh
    throw new AcmeError('acme/bad-answer', 'it has no nonce')
  }
  /** A refused nonce's answer brings the one for resending: it must not go into the pool as well. */
  const post = async (url: string, body: string, signal: AbortSignal): Promise<HttpReply> => {
    const reply = await send({ method: 'POST', url, body }, kindOf(url, known?.directory), signal)
    const next = nonceOf(reply)
    if (next !== undefined && !isBadNonce(reply)) nonces.put(next)
    return reply
  }

  return {
    directory,
    knownDirectory: () => known?.directory,
    renewalInfo: async (certificateId, signal) => {
      const { renewalInfo: base } = await directory()
      if (base === undefined) return undefined
      const url = `${base.replace(/\/$/, '')}/${certificateId}`
      return toAdvice(await send({ method: 'GET', url }, 'renewal-info', signal), clock.now())
    },
    readClock: async (signal) => clockOf(await fetchDirectory(signal)),
    openSession: async ({ key, publicJwk, accountUrl }, signal) => {
      const engine = await createJwsEngine({
        key,
        publicJwk,
        externalAccount,
        post: (url, body) => post(url, body, signal),
        nonce: () => nonce(signal),
      })
      return createSession({ engine, directory, publicJwk, clock }, { accountUrl })
    },
  }
}

type Send = (question: HttpQuestion, kind: RequestKind, signal: AbortSignal) => Promise<HttpReply>

/** Each request when its turn has come; each answer is counted, and says what time it is. */
function createSend({ transport, clock, record, pace, onClock }: ProtocolDeps): Send {
  return async (question, kind, signal) => {
    await pace.turn(kind, signal)
    const startedMs = clock.monotonicMs()
    const reply = await transport.send(question, signal)
    record.requestAnswered({ status: reply.status, ms: clock.monotonicMs() - startedMs })
    const caDate = clockOf(reply)
    if (caDate) onClock(caDate)
    return reply
  }
}

function toAdvice(reply: HttpReply, now: Date): RenewalAdvice {
  const error = replyToError(reply, now)
  if (error) throw error
  return { info: parseReply(renewalInfoSchema, reply), retryAt: retryAtOf(reply, now) }
}

function nonceOf({ headers }: HttpReply): string | undefined {
  const nonce = headers['replay-nonce']
  return typeof nonce === 'string' ? nonce : undefined
}

function kindOf(url: string, directory: Directory | undefined): RequestKind {
  switch (url) {
    case directory?.newOrder:
      return 'new-order'
    case directory?.newAccount:
      return 'new-account'
    case directory?.revokeCert:
      return 'revoke'
    default:
      return 'other'
  }
}
