import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { type Brand, brand } from './brand.ts'

/** A DNS name in its canonical form: lower case, A-labels, no trailing dot, at least two labels. */
export type Hostname = Brand<string, 'Hostname'>

/** RFC 1035 §2.3.4: 255 octets on the wire are 253 characters in text. */
const HOSTNAME_CHARACTERS_MAX = 253
/** RFC 1123 §2.1: letters, digits and inner hyphens; RFC 1035 §2.3.4: at most 63 of them. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * Reads a name that somebody typed: any case, one trailing dot and internationalised names are
 * accepted. `undefined` for what cannot be a tracking host: addresses, wildcards, single labels,
 * underscores, names too long.
 */
export function parseHostname(text: string): Hostname | undefined {
  const typed = text.trim()
  if (typed === '' || typed.length > HOSTNAME_CHARACTERS_MAX + 1) return undefined
  const name = domainToASCII(typed.endsWith('.') ? typed.slice(0, -1) : typed)
  return isCanonicalHostname(name) ? brand<Hostname>(name) : undefined
}

/**
 * Reads a name from a peer that has no excuse (SNI, `Host`): only case is forgiven, nothing is
 * decoded. Runs on each request, so it does not call into ICU.
 */
export function parseWireHostname(text: string): Hostname | undefined {
  const name = text.toLowerCase()
  return isCanonicalHostname(name) ? brand<Hostname>(name) : undefined
}

function isCanonicalHostname(name: string): boolean {
  if (name.length === 0 || name.length > HOSTNAME_CHARACTERS_MAX || isIP(name) !== 0) return false
  const labels = name.split('.')
  const top = labels.at(-1)
  // A numeric top label would be read as an address by URL parsers (WHATWG URL §3.5).
  if (labels.length < 2 || top === undefined || /^\d+$/.test(top)) return false
  return labels.every((label) => LABEL.test(label))
}

/** The names above `name`, nearest first, without itself: `a.b.c` → `b.c`, `c`. */
export function parentsOf(name: string): readonly string[] {
  const labels = name.split('.')
  return labels.slice(1).map((_, index) => labels.slice(index + 1).join('.'))
}
