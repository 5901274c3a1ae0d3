import type { z } from 'zod'
import type { Clock, Hostname } from '../../kernel/index.ts'
import { AcmeError, type AskedFor } from '../errors.ts'
import { keyAuthorization } from './account-key.ts'
import type { JwsEngine } from './jws-engine.ts'
import { linkOf, parseReply, replyToError, retryAtOf } from './reply.ts'
import type { HttpReply } from './transport.ts'
import {
  type Authorization,
  accountSchema,
  authorizationSchema,
  type Directory,
  type Order,
  orderSchema,
  ordersListSchema,
} from './wire.ts'

/**
 * The requests of one piece of work, signed by one account. Each throws an AcmeError for whatever
 * the CA answers but yes, and none is ever repeated by itself, but after a refused nonce.
 */
export interface AcmeSession {
  register(registration: Registration): Promise<string>
  placeOrder(wanted: OrderWanted): Promise<Order>
  readOrder(url: string): Promise<Order>
  readAuthorization(url: string): Promise<Authorization>
  /** Tells the CA that the challenge's answer is in its place. */
  startChallenge(url: string): Promise<void>
  finalize(order: Order, csr: Buffer): Promise<Order>
  /** Gives up what the authorization allows (RFC 8555 §7.5.2). */
  deactivateAuthorization(url: string): Promise<void>
  /** `reason` is a number of RFC 5280 §5.3.1. */
  revoke(certificateDer: Buffer, reason: number): Promise<void>
  /** The chain as PEM, not looked at. */
  download(url: string): Promise<string>
  /** The account's orders, where the CA keeps a list (RFC 8555 §7.1.2.1); many do not. */
  orderUrls(): AsyncIterable<string>
  keyAuthorization(token: string): string
}

export interface Registration {
  readonly email: string | undefined
}

/** `replaces` is RFC 9773 §5, `profile` draft-ietf-acme-profiles: for CAs whose directory offers them. */
export interface OrderWanted {
  readonly hostname: Hostname
  readonly notAfter?: Date | undefined
  readonly profile?: string | undefined
  readonly replaces?: string | undefined
}

interface SessionDeps {
  readonly engine: JwsEngine
  readonly directory: () => Promise<Directory>
  readonly publicJwk: object
  readonly clock: Clock
}

/** A list of a million orders is not read to its end. */
const ORDER_PAGES_MAX = 200

export function createSession(
  { engine, directory, publicJwk, clock }: SessionDeps,
  { accountUrl }: { readonly accountUrl: string | undefined },
): AcmeSession {
  const kid = accountUrl ?? null

  const orThrow = (reply: HttpReply, askedFor: AskedFor): HttpReply => {
    const error = replyToError(reply, clock.now(), askedFor)
    if (error) throw error
    return reply
  }
  const post = async (url: string, payload: object | null): Promise<HttpReply> =>
    orThrow(await engine.signedRequest(url, payload, { kid }), 'one-order')
  const read = async <Value>(url: string, schema: z.ZodType<Value>): Promise<Value> =>
    parseReply(schema, await post(url, null))

  const toOrder = (reply: HttpReply, url: string): Order => {
    const now = clock.now()
    const retryAt = retryAtOf(reply, now)
    const retryAfterMs = retryAt && retryAt.getTime() - now.getTime()
    return { ...parseReply(orderSchema, reply), url, retryAfterMs }
  }
  const newAccount = async (payload: object): Promise<HttpReply> => {
    const { newAccount: url } = await directory()
    const signing = { kid: null, includeExternalAccountBinding: !('onlyReturnExisting' in payload) }
    return orThrow(await engine.signedRequest(url, payload, signing), 'common')
  }

  return {
    register: async ({ email }) => {
      const contact = email === undefined ? {} : { contact: [`mailto:${email}`] }
      return locationOf(await newAccount({ termsOfServiceAgreed: true, ...contact }))
    },
    placeOrder: async (wanted) => {
      const { newOrder } = await directory()
      const reply = await post(newOrder, toNewOrder(wanted))
      return toOrder(reply, locationOf(reply))
    },
    readOrder: async (url) => toOrder(await post(url, null), url),
    readAuthorization: (url) => read(url, authorizationSchema),
    startChallenge: async (url) => {
      await post(url, {})
    },
    finalize: async ({ finalize, url }, csr) =>
      toOrder(await post(finalize, { csr: csr.toString('base64url') }), url),
    deactivateAuthorization: async (url) => {
      await post(url, { status: 'deactivated' })
    },
    revoke: async (certificateDer, reason) => {
      const { revokeCert } = await directory()
      if (revokeCert === undefined) throw new AcmeError('acme/bad-answer', 'it revokes nothing')
      await post(revokeCert, { certificate: certificateDer.toString('base64url'), reason })
    },
    download: async (url) => {
      const { data } = await post(url, null)
      if (typeof data === 'string') return data
      throw new AcmeError('acme/bad-answer', 'it is not a certificate')
    },
    orderUrls: async function* () {
      const account = parseReply(accountSchema, await newAccount({ onlyReturnExisting: true }))
      let page = account.orders
      for (let read = 0; page !== undefined && read < ORDER_PAGES_MAX; read += 1) {
        const reply: HttpReply = await post(page, null)
        yield* parseReply(ordersListSchema, reply).orders
        page = linkOf(reply, 'next', page)
      }
    },
    keyAuthorization: (token) => keyAuthorization(token, publicJwk),
  }
}

function locationOf({ headers }: HttpReply): string {
  if (headers.location !== undefined) return headers.location
  throw new AcmeError('acme/bad-answer', 'it does not say where the new thing is')
}

function toNewOrder({ hostname, notAfter, profile, replaces }: OrderWanted): object {
  return {
    identifiers: [{ type: 'dns', value: hostname }],
    // Whole seconds: fractions are allowed by RFC 3339, and not by every CA.
    ...(notAfter && { notAfter: `${notAfter.toISOString().slice(0, 19)}Z` }),
    ...(profile !== undefined && { profile }),
    ...(replaces !== undefined && { replaces }),
  }
}
