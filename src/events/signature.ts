/**
 * How a receiver knows that a delivery is ours, with one key, in two forms: Mailgun's (`signature` in
 * the body: HMAC of timestamp and token, which covers nothing else), which its SDKs check, and that
 * of Standard Webhooks 1.0.0 (headers, over id, timestamp and the whole body). Asymmetric keys
 * (`v1a`) are not done.
 */
import { createHmac } from 'node:crypto'
import type { Random } from '../kernel/index.ts'

/** Standard Webhooks asks for 24 to 64 bytes; RFC 2104 §3 for as many as the hash has. */
export const SIGNING_KEY_BYTES = 32
const TEXT_PREFIX = 'whsec_'
/** Mailgun's tokens have 50 characters. */
const TOKEN_BYTES = 25

/** The key as its receiver gets it. */
export function signingKeyText(key: Uint8Array): string {
  return `${TEXT_PREFIX}${Buffer.from(key).toString('base64')}`
}

/** Mailgun's signature: fresh at each attempt, so that a receiver can refuse what comes twice. */
export interface MailgunSignature {
  readonly timestamp: string
  readonly token: string
  readonly signature: string
}

export function signLikeMailgun(key: Uint8Array, now: Date, random: Random): MailgunSignature {
  const timestamp = wholeSeconds(now)
  const token = random.bytes(TOKEN_BYTES).toString('hex')
  const signature = createHmac('sha256', signingKeyText(key))
    .update(timestamp + token)
    .digest('hex')
  return { timestamp, token, signature }
}

/** The headers of Standard Webhooks. */
export function signatureHeaders(
  key: Uint8Array,
  { id, now, body }: { readonly id: string; readonly now: Date; readonly body: string },
): Readonly<Record<string, string>> {
  const timestamp = wholeSeconds(now)
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  }
}

function wholeSeconds(at: Date): string {
  return String(Math.floor(at.getTime() / 1000))
}
