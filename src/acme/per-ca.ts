import { z } from 'zod'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import { findCertificateAuthority } from './cas/list.ts'

/** A setting that may differ between CAs. */
export interface PerCa {
  /** Given without a CA: meant for one of them. */
  readonly bare: string | undefined
  /** By the CA's name. */
  readonly named: Readonly<Record<string, string>>
}

/**
 * Reads `value`, `zerossl=value,google=value`, or the same as a YAML map. Each value must be of the
 * form.
 */
export function perCa(value: ValueForm) {
  return z
    .union([z.string(), z.record(z.string(), z.string())])
    .transform((given, context): PerCa => {
      const entries = typeof given === 'string' ? entriesOf(given) : Object.entries(given)
      const fault = entries.map((entry) => faultIn(entry, value)).find((one) => one !== undefined)
      const bare = entries.flatMap(([ca, text]) => (ca === undefined ? [text] : []))
      const message = fault ?? (bare.length > 1 ? 'several values: write CA=VALUE for each' : '')
      if (message !== '') {
        context.addIssue({ code: 'custom', message })
        return z.NEVER
      }
      return { bare: bare[0], named: Object.fromEntries(entries.flatMap(byName)) }
    })
}

interface ValueForm {
  readonly pattern: RegExp
  /** In words. */
  readonly form: string
}

/** What stands before the value, if anything does, and the value. */
type Entry = readonly [ca: string | undefined, value: string]

function faultIn([ca, value]: Entry, { pattern, form }: ValueForm): string | undefined {
  // Not repeated: it may be the beginning of a secret that has a "=" in it.
  if (ca !== undefined && !findCertificateAuthority(ca)) {
    return `what stands before the first "=" is no CA, and the whole is not of the form ${form}`
  }
  return pattern.test(value) ? undefined : `not of the form ${form}`
}

function byName([ca, value]: Entry): readonly (readonly [string, string])[] {
  const named = ca === undefined ? undefined : findCertificateAuthority(ca)
  return named ? [[named.name, value]] : []
}

/** Keys may end in `=`: so only what stands before the first one, without a colon, names a CA. */
function entriesOf(text: string): readonly Entry[] {
  return text.split(',').map((part) => {
    const entry = part.trim()
    const match = /^(https:\/\/[^=\s]+|[^:=\s]+)=(.+)$/.exec(entry)
    return [match?.[1], match?.[2] ?? entry]
  })
}

/** What is set for this CA; a bare value is for `bareFor`. */
export function settingFor(
  setting: PerCa | undefined,
  { name }: Pick<CertificateAuthority, 'name'>,
  bareFor: string | undefined,
): string | undefined {
  return setting?.named[name] ?? (name === bareFor ? setting?.bare : undefined)
}
