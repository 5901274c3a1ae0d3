import { type Clock, type Hostname, seconds } from '../kernel/index.ts'
import type { DnsAnswer } from '../net/index.ts'
import type { LifecycleDeps } from './ports.ts'

type Asked = LifecycleDeps['resolver']

/** Short enough that nobody who mends the edge's own DNS notices. */
const SHARED_FOR = seconds(5)
/** There are some 1,500 top-level domains; beyond this somebody makes them up. */
const ENTRIES_MAX = 2_000

/**
 * Asks once for many hosts what is the same for all: the addresses of the edge name, and the CAA
 * records of top-level domains. Half of all questions when many hosts are looked at at once; what
 * belongs to a customer is always asked anew, because somebody may have just changed it.
 */
export function shareAnswers(
  resolver: Asked,
  { clock, edgeName }: { readonly clock: Clock; readonly edgeName: Hostname },
): Asked {
  const isShared = (name: string): boolean => name === edgeName || !name.includes('.')
  // Nobody's in particular: one who gives up must not spoil the answer for the others. The
  // resolver's own deadline ends it.
  const nobody = new AbortController().signal

  const shared = <Found>(
    ask: (name: string, signal: AbortSignal) => Promise<DnsAnswer<Found>>,
  ): typeof ask => {
    const kept = new Map<
      string,
      { readonly askedAt: number; readonly answer: ReturnType<typeof ask> }
    >()
    const askForAll = async (name: string): Promise<DnsAnswer<Found>> => {
      const answer = await ask(name, nobody)
      if (answer.kind === 'servfail' || answer.kind === 'timeout') kept.delete(name)
      return answer
    }
    return async (name, signal) => {
      if (!isShared(name)) return ask(name, signal)
      const now = clock.monotonicMs()
      const there = kept.get(name)
      if (there && now - there.askedAt < SHARED_FOR) return there.answer
      if (kept.size >= ENTRIES_MAX) kept.clear()
      const answer = askForAll(name)
      kept.set(name, { askedAt: now, answer })
      return answer
    }
  }
  return {
    a: shared(resolver.a),
    aaaa: shared(resolver.aaaa),
    caa: shared(resolver.caa),
    cname: shared(resolver.cname),
    txt: (name, signal) => resolver.txt(name, signal),
  }
}
