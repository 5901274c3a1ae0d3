/**
 * JWS, external account binding and the resending after a refused nonce (RFC 8555 §6.2, §6.5,
 * §7.3.4), by acme-client 5.4.0. Its transport, retries, nonces and error texts are replaced: see
 * the part's README. Nothing else knows the package.
 */
import type { KeyObject } from 'node:crypto'
import type { Redacted } from '../../kernel/index.ts'
import { AcmeError } from '../errors.ts'
import type { HttpReply } from './transport.ts'

export interface JwsEngine {
  /** Signs and sends; a payload of `null` is a POST-as-GET. */
  signedRequest(url: string, payload: object | null, signing: Signing): Promise<HttpReply>
}

interface Signing {
  /** The account's URL; without it the request carries the public key itself. */
  readonly kid: string | null
  readonly includeExternalAccountBinding?: boolean
}

export interface JwsEngineDeps {
  readonly key: KeyObject
  readonly publicJwk: object
  readonly externalAccount: ExternalAccount | undefined
  readonly post: (url: string, body: string) => Promise<HttpReply>
  readonly nonce: () => Promise<string>
}

/** What ties our account to a customer's at the CA (RFC 8555 §7.3.4). */
export interface ExternalAccount {
  readonly keyId: string
  readonly hmacKey: Redacted<string>
}

/** With every second nonce refused, one request in a thousand still fails. */
const BAD_NONCE_RETRIES_MAX = 9

/** Cheap: one is made for each piece of work, so that the signal belongs to it. */
export async function createJwsEngine(deps: JwsEngineDeps): Promise<JwsEngine> {
  const { key, publicJwk, externalAccount, post, nonce } = deps
  // On first use only: it takes 300 ms and 40 MB to load.
  const { Client } = await import('acme-client')
  const http: unknown = Reflect.get(new Client({ directoryUrl: '', accountKey: '' }), 'http')
  if (!isEngine(http)) {
    throw new AcmeError('acme/bad-request', 'acme-client is not the version it is used as (5.4.0)')
  }
  // The key stays a KeyObject: importing a PEM at each signature would cost more than signing.
  http.accountKey = key
  http.jwk = publicJwk
  http.maxBadNonceRetries = BAD_NONCE_RETRIES_MAX
  http.getNonce = nonce
  http.request = (url, _method, { data }) => post(url, JSON.stringify(data))
  if (externalAccount) {
    const { keyId, hmacKey } = externalAccount
    http.externalAccountBinding = { kid: keyId, hmacKey: hmacKey.reveal() }
  }
  return http
}

/** The undocumented inside of acme-client's `Client`, as far as it is used or replaced. */
interface Engine extends JwsEngine {
  accountKey: KeyObject
  jwk: object
  maxBadNonceRetries: number
  externalAccountBinding: { readonly kid: string; readonly hmacKey: string }
  getNonce: () => Promise<string>
  request: (url: string, method: string, sent: { readonly data: object }) => Promise<HttpReply>
}

function isEngine(value: unknown): value is Engine {
  if (typeof value !== 'object' || value === null) return false
  const methods = ['signedRequest', 'getNonce', 'request']
  const fields = ['accountKey', 'jwk', 'maxBadNonceRetries', 'externalAccountBinding']
  return (
    methods.every((name) => typeof Reflect.get(value, name) === 'function') &&
    fields.every((name) => name in value)
  )
}
