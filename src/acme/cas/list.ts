import { UNLIMITED } from '../limits.ts'
import type { CertificateAuthority } from './certificate-authority.ts'
import { google } from './google.ts'
import { letsencrypt } from './letsencrypt.ts'
import { letsencryptStaging } from './letsencrypt-staging.ts'
import { zerossl } from './zerossl.ts'

/** Every CA that has a name. To add one: its file, and a line here. */
export const CERTIFICATE_AUTHORITIES: readonly CertificateAuthority[] = [
  letsencrypt,
  letsencryptStaging,
  zerossl,
  google,
]

/** Reads `acme.ca`: the CAs in order of preference, each once. Unknown ones are left out. */
export function certificateAuthoritiesOf(text: string): readonly CertificateAuthority[] {
  const found = text.split(',').flatMap((entry) => findCertificateAuthority(entry) ?? [])
  return [...new Map(found.map((ca) => [ca.name, ca])).values()]
}

/**
 * Reads one entry of `acme.ca`: a name of the list, or the https URL of a directory. `undefined`
 * for anything else.
 */
export function findCertificateAuthority(text: string): CertificateAuthority | undefined {
  const entry = text.trim()
  const known = CERTIFICATE_AUTHORITIES.find(
    ({ name, directoryUrl }) => name === entry || directoryUrl === entry,
  )
  if (known) return known
  if (!entry.startsWith('https://') || !URL.canParse(entry)) return undefined
  return {
    name: entry,
    title: new URL(entry).host,
    directoryUrl: entry,
    caaIdentities: [],
    notAfter: 'unknown',
    externalAccount: 'unknown',
    // It is likely to stand in the same house.
    validationMs: 25,
    limits: UNLIMITED,
  }
}
