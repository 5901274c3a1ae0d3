import type { Clock } from '../../kernel/index.ts'
import { HTTP2_OVERHEAD_MAX, HTTP2_OVERHEAD_MS } from '../limits.ts'

// Rapid Reset (CVE-2023-44487), MadeYouReset (CVE-2025-8671), floods of PING and SETTINGS
// (CVE-2019-9512, -9515): all of them are much work for few bytes, and none of them is a request.

/** Counts what a visitor has us do besides answering. */
export interface Overhead {
  /** So many more; false: that was too much. */
  add(times?: number): boolean
}

export function createOverhead({ clock }: { readonly clock: Clock }): Overhead {
  let count = 0
  let since = clock.monotonicMs()
  return {
    add: (times = 1) => {
      const now = clock.monotonicMs()
      if (now - since >= HTTP2_OVERHEAD_MS) {
        since = now
        count = 0
      }
      count += times
      return count <= HTTP2_OVERHEAD_MAX
    },
  }
}
