import type { Clock } from '../../kernel/index.ts'

/** A key under which TLS sessions are resumed, the same in all processes and on all nodes. */
export interface TicketKey {
  /** Name, HMAC key and AES key, 16 bytes each: the form of `tls.Server.setTicketKeys`. */
  readonly bytes: Uint8Array
  /** Since 1970. Every node begins at the same instant to seal with it; opening does not wait. */
  readonly sealsFromMs: number
  readonly opensUntilMs: number
}

/** The parts of a key, as OpenSSL wants them. */
export interface HeldTicketKey {
  readonly all: Buffer
  readonly name: Buffer
  readonly hmacKey: Buffer
  readonly aesKey: Buffer
}

/** The keys of this process: which one seals now, and which ones open. */
export interface TicketRing {
  /** Copies these and zeroes those it had. */
  replace(keys: readonly TicketKey[]): void
  /**
   * The latest whose time has come. It goes on past its end where no later one is known (the store
   * is away), and one whose time is yet to come does where no other is (a clock that is behind).
   */
  sealing(): HeldTicketKey | undefined
  /** One whose time is yet to come opens too: another node's clock may be ahead of ours. */
  opening(name: Uint8Array): HeldTicketKey | undefined
}

interface Entry extends HeldTicketKey, Omit<TicketKey, 'bytes'> {}

export function createTicketRing({ clock }: { readonly clock: Pick<Clock, 'now'> }): TicketRing {
  /** The latest first. */
  let entries: readonly Entry[] = []

  const sealingAt = (nowMs: number): Entry | undefined =>
    entries.find(({ sealsFromMs }) => sealsFromMs <= nowMs) ?? entries.at(-1)

  return {
    replace: (keys) => {
      const before = entries
      entries = keys.map(toEntry).toSorted((a, b) => b.sealsFromMs - a.sealsFromMs)
      for (const { all } of before) all.fill(0)
    },
    sealing: () => sealingAt(clock.now().getTime()),
    opening: (name) => {
      const entry = entries.find((one) => one.name.equals(name))
      if (!entry) return undefined
      const nowMs = clock.now().getTime()
      return nowMs < entry.opensUntilMs || entry === sealingAt(nowMs) ? entry : undefined
    },
  }
}

function toEntry({ bytes, sealsFromMs, opensUntilMs }: TicketKey): Entry {
  const all = Buffer.from(bytes)
  return {
    ...{ all, sealsFromMs, opensUntilMs },
    name: all.subarray(0, 16),
    hmacKey: all.subarray(16, 32),
    aesKey: all.subarray(32, 48),
  }
}
