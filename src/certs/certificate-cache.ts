import { type Hostname, within } from '../kernel/index.ts'
import type { ServedCertificateRow } from '../store/index.ts'
import type { CertsRecord } from '../telemetry/index.ts'
import type { ServedContext } from './build-context.ts'
import { createByteBoundedLru } from './byte-bounded-lru.ts'
import {
  type ContextLoaderDeps,
  createContextLoader,
  type LoadedContext,
  RETRY_AFTER,
} from './context-loader.ts'

/** The TLS contexts of hosts that were visited lately, one cache per process. */
export interface CertificateCache {
  /**
   * The context of a host of ours; `undefined` if it has no certificate, or none that can be used.
   * Calls at the same time share one query and one context. Throws only what the store throws, and
   * only when there is no earlier context to go on with: where there is, a store that does not answer
   * costs a moment and no visitor. A promise only where something has to be looked up.
   */
  contextFor(hostname: Hostname): ServedContext | undefined | Promise<ServedContext | undefined>
  /**
   * The host has changed: whoever asks from now on gets what the store says. A host that was in use
   * is looked up at once, so that the key of one that has left does not stay in memory.
   */
  forget(hostname: Hostname): void
  /** Anything may have changed. */
  forgetAll(): void
  /**
   * Lets half of the memory go, that of the hosts that were not visited for longest; theirs are made
   * anew when asked for. None while the store is away: they could not be had again.
   */
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
/** A query takes 1 ms, and a handshake may take 5 s: a store that is slow is waited for so long. */
const PATIENCE_MS = 300

export function createCertificateCache(
  deps: CertificateCacheDeps,
  { bytesMax }: { readonly bytesMax: number },
): CertificateCache {
  return new Cache(deps, bytesMax)
}

class Cache implements CertificateCache {
  readonly #deps
  readonly #load
  readonly #entries
  readonly #flights = new Map<Hostname, Flight>()
  /** The last that was heard of the store was that it failed, or nothing in time. */
  #isStoreAway = false

  constructor(deps: CertificateCacheDeps, bytesMax: number) {
    this.#deps = deps
    this.#entries = createByteBoundedLru<Hostname, Entry>(bytesMax)
    this.#load = createContextLoader({
      ...deps,
      hot: { servedCertificate: (hostname) => this.#read(hostname) },
    })
  }

  get size(): number {
    return this.#entries.size
  }

  contextFor(hostname: Hostname): ServedContext | undefined | Promise<ServedContext | undefined> {
    const entry = this.#entries.get(hostname)
    if (entry && this.#deps.clock.monotonicMs() < entry.freshUntilMs) {
      return entry.failure ? Promise.reject(entry.failure.error) : entry.served
    }
    const flight = this.#flights.get(hostname) ?? this.#takeOff(hostname)
    if (!entry?.served) return flight.landing
    return flight.isLate ? entry.served : this.#await(hostname, flight, entry.served)
  }

  forget(hostname: Hostname): void {
    this.#flights.delete(hostname)
    const entry = this.#entries.get(hostname)
    if (!entry) return
    entry.freshUntilMs = NEVER
    if (!entry.served) return
    const { certificateId } = entry.served
    this.#takeOff(hostname).landing.catch((error: unknown) =>
      this.#deps.record?.contextKept({ hostname, certificateId, error }),
    )
  }

  forgetAll(): void {
    for (const entry of this.#entries.values()) entry.freshUntilMs = NEVER
    this.#flights.clear()
  }

  release(): void {
    if (this.#isStoreAway) return
    this.#entries.shrinkTo(Math.floor(this.#entries.bytes / 2))
    this.#tellSize()
  }

  /** Waits for what is being looked up, and goes on with the earlier context if that takes long. */
  async #await(
    hostname: Hostname,
    flight: Flight,
    earlier: ServedContext,
  ): Promise<ServedContext | undefined> {
    const outcome = await within(flight.landing, PATIENCE_MS, this.#deps.clock)
    if (outcome.kind === 'in-time') return outcome.value
    if (!flight.isLate) {
      const { certificateId } = earlier
      this.#deps.record?.contextKept({ hostname, certificateId, error: LATE })
    }
    flight.isLate = true
    this.#isStoreAway = true
    return earlier
  }

  #takeOff(hostname: Hostname): Flight {
    const ticket = Symbol(hostname)
    const flight = { ticket, landing: this.#fly(hostname, ticket), isLate: false }
    this.#flights.set(hostname, flight)
    return flight
  }

  /** Looks the host up; what is found is not kept if the host was forgotten meanwhile. */
  async #fly(hostname: Hostname, ticket: symbol): Promise<ServedContext | undefined> {
    const isLatest = (): boolean => this.#flights.get(hostname)?.ticket === ticket
    try {
      const loaded = await this.#load(hostname, this.#entries.get(hostname)?.served)
      if (isLatest()) this.#keep(hostname, loaded)
      return loaded.served
    } catch (error) {
      // Visitors come faster than a store comes back.
      const freshUntilMs = this.#deps.clock.monotonicMs() + RETRY_AFTER
      if (isLatest()) this.#keep(hostname, { served: undefined, failure: { error }, freshUntilMs })
      throw error
    } finally {
      if (isLatest()) this.#flights.delete(hostname)
    }
  }

  async #read(hostname: string): Promise<ServedCertificateRow | undefined> {
    try {
      const row = await this.#deps.hot.servedCertificate(hostname)
      this.#isStoreAway = false
      return row
    } catch (error) {
      this.#isStoreAway = true
      throw error
    }
  }

  #keep(hostname: Hostname, entry: Entry): void {
    this.#entries.set(hostname, { ...entry }, entry.served ? CONTEXT_BYTES : NOTHING_BYTES)
    this.#tellSize()
  }

  #tellSize(): void {
    const { size, bytes } = this.#entries
    this.#deps.record?.contextsCached({ contexts: size, bytes })
  }
}

/** A forgotten entry is out of date, but stays: it serves if nothing better can be had. */
interface Entry extends Pick<LoadedContext, 'served'> {
  /** What the store threw when it was asked, with nothing there to go on with. */
  readonly failure?: { readonly error: unknown }
  freshUntilMs: number
}

interface Flight {
  readonly ticket: symbol
  readonly landing: Promise<ServedContext | undefined>
  /** Somebody has waited for it long enough. */
  isLate: boolean
}

const NEVER = Number.NEGATIVE_INFINITY
const LATE = `The store has not answered in ${PATIENCE_MS} ms`
