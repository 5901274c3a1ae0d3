import { promises as dns } from 'node:dns'
import type { NetOptions } from './options.ts'

// DNS (RFC 1035) and CAA (RFC 8659) by way of c-ares. We validate no DNSSEC: that is the
// resolver's work, whose refusal arrives here as `servfail`.

/** What DNS said. `none` is NODATA: the name exists, without such a record. */
export type DnsAnswer<Found> =
  | { readonly kind: 'found'; readonly records: readonly Found[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'nxdomain' }
  | { readonly kind: 'servfail' }
  | { readonly kind: 'timeout' }

export interface CaaRecord {
  readonly critical: boolean
  /** In lower case, whatever was published. */
  readonly tag: string
  readonly value: string
}

/**
 * Asks DNS, within 5 s per question. What DNS answers, or fails to, is a value; only the signal
 * makes it throw.
 */
export interface Resolver {
  /** Targets in lower case, without the dot at the end. */
  cname(name: string, signal: AbortSignal): Promise<DnsAnswer<string>>
  a(name: string, signal: AbortSignal): Promise<DnsAnswer<string>>
  aaaa(name: string, signal: AbortSignal): Promise<DnsAnswer<string>>
  caa(name: string, signal: AbortSignal): Promise<DnsAnswer<CaaRecord>>
  txt(name: string, signal: AbortSignal): Promise<DnsAnswer<string>>
}

export function createResolver({ dns: servers }: Pick<NetOptions, 'dns'>): Resolver {
  const channels = Array.from({ length: CHANNELS }, () => {
    const channel = new dns.Resolver({ timeout: FIRST_TRY_MS, tries: TRIES })
    if (servers !== 'system') channel.setServers([...servers])
    return channel
  })
  let turn = 0
  const next = (): dns.Resolver => {
    turn = (turn + 1) % CHANNELS
    return channels[turn] ?? new dns.Resolver()
  }
  return {
    cname: (name, signal) => ask(() => next().resolveCname(name), toCanonicalName, signal),
    a: (name, signal) => ask(() => once(next().resolve4(name)), unchanged, signal),
    aaaa: (name, signal) => ask(() => once(next().resolve6(name)), unchanged, signal),
    caa: (name, signal) => ask(() => next().resolveCaa(name), toCaaRecord, signal),
    txt: (name, signal) =>
      ask(
        () => next().resolveTxt(name),
        (chunks) => chunks.join(''),
        signal,
      ),
  }
}

/** Each has a socket: Linux drops answers beyond the 270 or so that one socket's buffer holds. */
const CHANNELS = 4
/** A lost packet is asked for again after this, then after twice and four times as long. */
const FIRST_TRY_MS = 600
const TRIES = 3
/** c-ares asks every server it knows in each try: with several dead ones that adds up. */
const ANSWER_MS_MAX = 5_000

async function ask<Found, Record>(
  /** Called when nothing stands in the way: nobody would catch the failure of one not waited for. */
  question: () => Promise<readonly Found[]>,
  toRecord: (found: Found) => Record,
  signal: AbortSignal,
): Promise<DnsAnswer<Record>> {
  signal.throwIfAborted()
  const waiting = Promise.withResolvers<typeof TOO_LATE>()
  const deadline = setTimeout(() => waiting.resolve(TOO_LATE), ANSWER_MS_MAX)
  const giveUp = (): void => waiting.reject(signal.reason)
  signal.addEventListener('abort', giveUp)
  try {
    const found = await Promise.race([question(), waiting.promise])
    if (found === TOO_LATE) return { kind: 'timeout' }
    return found.length === 0 ? { kind: 'none' } : { kind: 'found', records: found.map(toRecord) }
  } catch (error) {
    const kind = signal.aborted ? undefined : KIND_BY_CODE.get(codeOf(error))
    if (kind === undefined) throw error
    return { kind }
  } finally {
    clearTimeout(deadline)
    signal.removeEventListener('abort', giveUp)
  }
}

const TOO_LATE = Symbol('too late')

/** The codes of node:dns that say something about the name or its servers. */
const KIND_BY_CODE: ReadonlyMap<unknown, Exclude<DnsAnswer<never>['kind'], 'found'>> = new Map([
  ['ENODATA', 'none'],
  ['ENOTFOUND', 'nxdomain'],
  // No server can answer for a name that cannot be asked for.
  ['EBADNAME', 'nxdomain'],
  ['ESERVFAIL', 'servfail'],
  ['EREFUSED', 'servfail'],
  ['ENOTIMP', 'servfail'],
  ['EFORMERR', 'servfail'],
  ['EBADRESP', 'servfail'],
  ['EBADFAMILY', 'servfail'],
  ['ETIMEOUT', 'timeout'],
  ['ECONNREFUSED', 'timeout'],
])

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** Some servers say the same twice. */
async function once(addresses: Promise<readonly string[]>): Promise<readonly string[]> {
  return [...new Set(await addresses)]
}

function unchanged(text: string): string {
  return text
}

function toCanonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

/** Node gives `{ critical: flags, [tag]: value, type: 'CAA' }`. */
function toCaaRecord({ critical: flags, ...rest }: object & { critical: number }): CaaRecord {
  const properties = Object.entries(rest).filter(([name]) => name !== 'type')
  const [tag = '', value = ''] = properties[0] ?? []
  return {
    // RFC 8659 §4.1 means 128. Many zones say 1, and Let's Encrypt takes it to mean the same.
    critical: (flags & (128 | 1)) !== 0,
    tag: tag.toLowerCase(),
    value: String(value),
  }
}
