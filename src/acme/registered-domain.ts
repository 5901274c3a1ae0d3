import { getDomain } from 'tldts'

/**
 * The domain that somebody registered, of which `hostname` is a part: what CAs count certificates
 * by. By the public suffix list with its private part, as Let's Encrypt does; a name that is a
 * suffix itself stands for itself.
 */
export function registeredDomain(hostname: string): string {
  return getDomain(hostname, OPTIONS) ?? hostname
}

/** Names are canonical already. */
const OPTIONS = { allowPrivateDomains: true, validateHostname: false, extractHostname: false }
