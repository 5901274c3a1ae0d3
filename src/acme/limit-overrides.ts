/** Reading `acme.limits`: what a CA granted this operator beyond what everybody gets. */
import { z } from 'zod'
import { nearestName, parseDuration } from '../kernel/index.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import { CERTIFICATE_AUTHORITIES, findCertificateAuthority } from './cas/list.ts'
import {
  type CaLimits,
  LIMIT_NAMES,
  type LimitName,
  REQUEST_KINDS,
  type RequestKind,
  type TokenBucket,
} from './limits.ts'

/** Buckets that replace those of a CA, by the CA's name. */
export type LimitOverrides = ReadonlyMap<string, readonly LimitOverride[]>

interface LimitOverride {
  readonly limit: Limit
  readonly bucket: TokenBucket | 'none'
}

type Limit =
  | { readonly kind: 'orders'; readonly name: LimitName }
  | { readonly kind: 'requests'; readonly name: RequestKind }

/** `new-order-requests` is the limit on requests of kind `new-order`. */
const LIMITS = new Map<string, Limit>([
  ...LIMIT_NAMES.map((name) => [name, { kind: 'orders', name }] as const),
  ...REQUEST_KINDS.map((name) => [`${name}-requests`, { kind: 'requests', name }] as const),
])

/**
 * `letsencrypt.orders-per-account=3000/3h`, several with commas between them, or as a map in YAML:
 * `letsencrypt: { orders-per-account: 3000/3h }`. `none` lifts a limit.
 */
export const limitOverrides = z
  .union([
    z.string(),
    z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])),
  ])
  .transform((given, context): LimitOverrides => {
    const overrides = new Map<string, LimitOverride[]>()
    for (const entry of typeof given === 'string' ? fromText(given) : fromMap(given)) {
      const read = readEntry(entry)
      if (typeof read === 'string') {
        context.addIssue({ code: 'custom', message: read })
        return z.NEVER
      }
      overrides.set(read.ca, [...(overrides.get(read.ca) ?? []), read.override])
    }
    return overrides
  })

/** The CA with the limits that the operator says it has. */
export function withLimits(
  ca: CertificateAuthority,
  overrides: LimitOverrides | undefined,
): CertificateAuthority {
  const own = overrides?.get(ca.name)
  return own ? { ...ca, limits: own.reduce(applyOverride, ca.limits) } : ca
}

function applyOverride(limits: CaLimits, { limit, bucket }: LimitOverride): CaLimits {
  switch (limit.kind) {
    case 'orders':
      return { ...limits, orders: replaced(limits.orders, limit.name, bucket) }
    case 'requests':
      return { ...limits, requests: replaced(limits.requests, limit.name, bucket) }
  }
}

function replaced<Name extends string>(
  buckets: Readonly<Partial<Record<Name, TokenBucket>>>,
  name: Name,
  bucket: TokenBucket | 'none',
): Readonly<Partial<Record<Name, TokenBucket>>> {
  const kept: Partial<Record<Name, TokenBucket>> = { ...buckets }
  if (bucket === 'none') delete kept[name]
  else kept[name] = bucket
  return kept
}

/** One override as somebody wrote it: the CA and the limit with a dot between them. */
interface Entry {
  readonly key: string
  readonly value: string
}

function fromText(text: string): readonly Entry[] {
  const entries = text.split(',').filter((entry) => entry.trim() !== '')
  return entries.map((entry) => {
    const cut = entry.lastIndexOf('=')
    return cut < 0
      ? { key: entry.trim(), value: '' }
      : { key: entry.slice(0, cut).trim(), value: entry.slice(cut + 1).trim() }
  })
}

function fromMap(
  map: Readonly<Record<string, string | Readonly<Record<string, string>>>>,
): readonly Entry[] {
  return Object.entries(map).flatMap(([key, value]) =>
    typeof value === 'string'
      ? [{ key, value }]
      : Object.entries(value).map(([limit, bucket]) => ({ key: `${key}.${limit}`, value: bucket })),
  )
}

/** The override, or what is wrong with it. */
function readEntry({ key, value }: Entry): { ca: string; override: LimitOverride } | string {
  // The last dot: the name of a CA may be the URL of its directory.
  const cut = key.lastIndexOf('.')
  const [caName, limitName] = [key.slice(0, Math.max(0, cut)), key.slice(cut + 1)]
  const ca = findCertificateAuthority(caName)
  if (!ca) {
    const names = CERTIFICATE_AUTHORITIES.map(({ name }) => name)
    return noSuch(caName === '' ? key : caName, 'a CA', names)
  }
  const limit = LIMITS.get(limitName)
  if (!limit) return noSuch(limitName, 'a limit', [...LIMITS.keys()])
  const bucket = readBucket(value)
  if (bucket) return { ca: ca.name, override: { limit, bucket } }
  return `"${value}" is not of the form 3000/3h (so many in such a time), nor "none"`
}

function noSuch(typed: string, what: string, known: readonly string[]): string {
  const nearest = nearestName(typed, known)
  const help = nearest ? `, ${nearest} is` : `: there are ${known.join(', ')}`
  return `"${typed}" is not ${what}${help}`
}

function readBucket(text: string): TokenBucket | 'none' | undefined {
  if (text === 'none') return 'none'
  const [, count = '', span = ''] = /^(\d+)\/(.+)$/.exec(text) ?? []
  const per = parseDuration(span)
  const capacity = Number(count)
  return per !== undefined && per > 0 && capacity > 0 ? { capacity, per } : undefined
}
