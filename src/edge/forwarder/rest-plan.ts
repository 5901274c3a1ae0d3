import {
  BACKEND_KEEP_ALIVE_MARGIN_MS,
  BACKEND_KEEP_ALIVE_MS,
  BACKEND_KEEP_ALIVE_MS_MAX,
} from '../limits.ts'
import type { BodyFraming } from './body-framing.ts'
import { onlyWordOf, type ResponseHead, tokensOf } from './response-head.ts'

// RFC 9112 §9.3 (persistence), and the Keep-Alive field that RFC 2068 §19.7.1 left behind.

/** How long a connection may rest after this answer and be used again, in ms; 0: not at all. */
export function restAfter(head: ResponseHead, framing: BodyFraming): number {
  if (framing.kind === 'until-close' || mayHaveBody(head, framing) || !keepsOpen(head)) return 0
  const promised = /(?:^|[ ,])timeout=(\d{1,9})(?:$|[ ,])/i.exec(head.keepAlive ?? '')?.[1]
  if (promised === undefined) return BACKEND_KEEP_ALIVE_MS
  const promisedMs = Number(promised) * 1000
  // Of a promise of one second, half is kept.
  const marginMs = Math.min(BACKEND_KEEP_ALIVE_MARGIN_MS, promisedMs / 2)
  return Math.min(promisedMs - marginMs, BACKEND_KEEP_ALIVE_MS_MAX)
}

/**
 * A 204 has no body, and a backend that announces one may be about to send it: those bytes would be
 * the next visitor's answer. HEAD and 304 may announce what a GET would have got (RFC 9110 §8.6).
 */
function mayHaveBody(
  { status, transferEncoding, contentLength = '0' }: ResponseHead,
  { kind }: BodyFraming,
): boolean {
  return (
    kind === 'none' && status === 204 && (transferEncoding !== undefined || contentLength !== '0')
  )
}

function keepsOpen({ version, connection }: ResponseHead): boolean {
  if (connection === undefined) return version === '1.1'
  const word = onlyWordOf(connection)
  if (word !== undefined) return word === 'keep-alive'
  const tokens = tokensOf(connection)
  return !tokens.includes('close') && (version === '1.1' || tokens.includes('keep-alive'))
}
