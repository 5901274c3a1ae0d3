import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { BackendAddress } from '../../../src/edge/backend/backend-address.ts'
import { createErrands } from '../../../src/edge/backend/errands.ts'
import { createHealth } from '../../../src/edge/forwarder/health.ts'
import { toHeaderLines } from '../../../src/edge/request/header-lines.ts'
import type { Page } from '../../../src/edge/request/pages.ts'
import type { Passage } from '../../../src/edge/request/passage.ts'
import { parseWireHostname } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const hostname = parseWireHostname('email.customer.test')
if (!hostname) throw new TypeError('not a hostname')
const PASSAGE: Passage = {
  method: 'POST',
  hostname,
  target: '/',
  lines: toHeaderLines(''),
  userAgent: '',
  requestId: '1',
  connection: {
    hostname: undefined,
    arrival: {
      secure: false,
      protocol: 'http/1.1',
      servername: undefined,
      address: '192.0.2.1',
      port: 80,
    },
  },
}

function aWorld(backends = 1) {
  const clock = createFakeClock()
  const reasons: string[] = []
  const record = {
    backendPaused: () => undefined,
    backendBack: () => undefined,
    backendResting: () => reasons.push('resting'),
    backendFailed: ({ reason }: { readonly reason: string }) => reasons.push(reason),
    failed: () => reasons.push('bug'),
  }
  const targets = Array.from(
    { length: backends },
    (_, index): BackendAddress => ({ kind: 'unix', path: `/${index}` }),
  )
  const health = createHealth({ clock, record }, targets)
  const errands = createErrands({ health, record, clock }, { underWayMax: 2 })
  const lates: (Page | undefined)[] = []
  return {
    clock,
    reasons,
    lates,
    start: () => {
      const errand = errands.start(PASSAGE, (page) => lates.push(page))
      if ('page' in errand) throw new TypeError(errand.page.sentence)
      return errand
    },
    tryToStart: () => {
      const errand = errands.start(PASSAGE, () => undefined)
      return 'page' in errand ? errand.page.status : 'started'
    },
  }
}

describe('what a backend is asked at once', () => {
  it('has a bound, and a place is free again when its errand is over', () => {
    const { start, tryToStart, reasons } = aWorld()
    const first = start()
    start()
    expect(tryToStart()).toBe(503)
    expect(reasons).toEqual(['busy'])
    first.end('answered')
    expect(tryToStart()).toBe('started')
  })

  it('goes to another one while there is room', () => {
    const { tryToStart } = aWorld(2)
    const outcomes = Array.from({ length: 5 }, tryToStart)
    expect(outcomes).toEqual(['started', 'started', 'started', 'started', 503])
  })

  it('counts tunnels until their connection is closed', async () => {
    const { start, tryToStart } = aWorld()
    start()
    const socket = new PassThrough()
    start().endAsTunnel(socket)
    expect(tryToStart()).toBe(503)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.destroy()
    await closed
    expect(tryToStart()).toBe('started')
  })
})

describe('what does not come in time', () => {
  it.each([
    ['connection', 3000, 'connect-timeout', 503],
    ['head', 30_000, 'first-byte-timeout', 504],
    ['piece', 60_000, 'cut-short', 502],
  ] as const)('is a failure of the backend: %s', async (expected, ms, reason, status) => {
    const { clock, start, reasons, lates } = aWorld()
    start().expects(expected)
    await clock.advance(ms - 1)
    expect(reasons).toEqual([])
    await clock.advance(251)
    expect([reasons, lates.map((page) => page?.status)]).toEqual([[reason], [status]])
  })

  it('is none if it is the visitor who keeps it waiting', async () => {
    const { clock, start, reasons, lates } = aWorld()
    start().expects('visitor')
    await clock.advance(66_000)
    expect([reasons, lates]).toEqual([[], [undefined]])
  })
})
