import { createPlaces, milliseconds, startPeriodic } from '../../kernel/index.ts'
import type { Reader } from '../gate/gate.ts'
import { DEADLINE_CHECK_MS } from '../limits.ts'
import { type Http2Visit, openHttp2Visit, type VisitDeps } from './http2-visit.ts'

/** Reads connections on which ALPN agreed on `h2`. Disposing ends the watch over deadlines. */
export interface Http2Reader extends Reader, AsyncDisposable {
  /**
   * Those that are open end with the answers under way. One on which nothing was asked yet ends with
   * its first answer, as does one whose handshake is not over.
   */
  windDown(): void
}

export function createHttp2Reader(deps: VisitDeps): Http2Reader {
  const { clock, record } = deps
  const visits = createPlaces<Http2Visit>()
  let isWindingDown = false
  // One look at all of them, where a timer each would be set and cleared with every request.
  const watch = startPeriodic(
    async () => {
      for (const visit of visits) visit.enforceDeadlines()
    },
    {
      clock,
      every: milliseconds(DEADLINE_CHECK_MS),
      onError: (error) => record.failed('watching deadlines of HTTP/2', error),
    },
  )
  return {
    take: (socket, connection) => {
      const visit = openHttp2Visit(deps, socket, connection)
      // Its handshake was under way when the others were told.
      if (isWindingDown) visit.windDown()
      visit.whenOver(visits.take(visit))
    },
    windDown: () => {
      isWindingDown = true
      for (const visit of visits) visit.windDown()
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  }
}
