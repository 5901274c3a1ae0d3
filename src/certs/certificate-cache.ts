import type { Hostname } from '../kernel/index.ts'
import type { CertsRecord } from '../telemetry/index.ts'
import type { ServedContext } from './build-context.ts'
import { createByteBoundedLru } from './byte-bounded-lru.ts'
import {
  type ContextLoaderDeps,
  createContextLoader,
  type LoadedContext,
} from './context-loader.ts'

/** The TLS contexts of hosts that were visited lately, one cache per process. */
export interface CertificateCache {
  /**
   * The context of a host of ours; `undefined` if it has no certificate, or none that can be used.
   * Calls at the same time share one query and one context. Throws only what the store throws, and
   * only when there is no earlier context to go on with. A promise only where something has to be
   * looked up.
   */
  contextFor(hostname: Hostname): ServedContext | undefined | Promise<ServedContext | undefined>
  /**
   * The host has changed: whoever asks from now on gets what the store says. A host that was in use
   * is looked up at once, so that the key of one that has left does not stay in memory.
   */
  forget(hostname: Hostname): void
  /** Anything may have changed. */
  forgetAll(): void
  /** Lets all contexts go, for their memory; those in use are made anew when asked for. */
  release(): void
  /** How many hosts are known. */
  readonly size: number
}

export interface CertificateCacheDeps extends ContextLoaderDeps {
  readonly record?: NonNullable<ContextLoaderDeps['record']> & Pick<CertsRecord, 'contextsCached'>
}

/** Resident memory per context with a chain of two, measured on Node 26. */
const CONTEXT_BYTES = 34 * 1024
/** For knowing that there is nothing to serve. */
const NOTHING_BYTES = 256

export function createCertificateCache(
  deps: CertificateCacheDeps,
  { bytesMax }: { readonly bytesMax: number },
): CertificateCache {
  const { clock, record } = deps
  const load = createContextLoader(deps)
  const entries = createByteBoundedLru<Hostname, Entry>(bytesMax)
  const flights = new Map<Hostname, Flight>()

  /** Looks the host up; what is found is not kept if the host was forgotten meanwhile. */
  const fly = async (hostname: Hostname, ticket: symbol): Promise<ServedContext | undefined> => {
    const isLatest = (): boolean => flights.get(hostname)?.ticket === ticket
    try {
      const loaded = await load(hostname, entries.get(hostname)?.served)
      if (isLatest()) {
        entries.set(hostname, { ...loaded }, loaded.served ? CONTEXT_BYTES : NOTHING_BYTES)
        record?.contextsCached({ contexts: entries.size, bytes: entries.bytes })
      }
      return loaded.served
    } finally {
      if (isLatest()) flights.delete(hostname)
    }
  }

  const takeOff = (hostname: Hostname): Promise<ServedContext | undefined> => {
    const ticket = Symbol(hostname)
    const landing = fly(hostname, ticket)
    flights.set(hostname, { ticket, landing })
    return landing
  }

  return {
    contextFor: (hostname) => {
      const entry = entries.get(hostname)
      if (entry && clock.monotonicMs() < entry.freshUntilMs) return entry.served
      return flights.get(hostname)?.landing ?? takeOff(hostname)
    },
    forget: (hostname) => {
      flights.delete(hostname)
      const entry = entries.get(hostname)
      if (!entry) return
      entry.freshUntilMs = NEVER
      if (!entry.served) return
      const { certificateId } = entry.served
      takeOff(hostname).catch((error: unknown) =>
        record?.contextKept({ hostname, certificateId, error }),
      )
    },
    forgetAll: () => {
      for (const entry of entries.values()) entry.freshUntilMs = NEVER
      flights.clear()
    },
    release: () => {
      entries.clear()
      record?.contextsCached({ contexts: 0, bytes: 0 })
    },
    get size() {
      return entries.size
    },
  }
}

/** A forgotten entry is out of date, but stays: it serves if nothing better can be had. */
interface Entry extends Pick<LoadedContext, 'served'> {
  freshUntilMs: number
}

interface Flight {
  readonly ticket: symbol
  readonly landing: Promise<ServedContext | undefined>
}

const NEVER = Number.NEGATIVE_INFINITY
