import type { BackendAddress } from '../../../src/edge/backend/backend-address.ts'
import {
  createForwarder,
  type Forwarder,
  type ForwarderHow,
} from '../../../src/edge/forwarder/forwarder.ts'
import { createHealth } from '../../../src/edge/forwarder/health.ts'
import { BACKEND_SOCKETS_MAX } from '../../../src/edge/limits.ts'
import type { Answer, AnswerHead, WhyLeft } from '../../../src/edge/request/answer.ts'
import { toHeaderLines } from '../../../src/edge/request/header-lines.ts'
import type { Passage } from '../../../src/edge/request/passage.ts'
import { createEdgeRecord, createMetrics, openLog } from '../../../src/telemetry/index.ts'
import { aMovableClock } from '../../support/movable-clock.ts'
import { host, OURS } from './support.ts'

/** A forwarder in front of backends, and a clock that it goes by. */
export interface ForwarderWorld extends AsyncDisposable {
  readonly forwarder: Forwarder
  readonly clock: ReturnType<typeof aMovableClock>
  readonly logLines: string[]
  ask(target?: string, method?: string): Asking
}

/** A request under way; a visitor who reads whatever comes. */
export interface Asking {
  readonly answered: Promise<Answered>
  leave(): void
}

export interface Answered {
  readonly status: number
  readonly head: AnswerHead | undefined
  readonly body: string
  readonly end: 'sent' | 'ended' | 'broken-off'
}

export function openForwarder(
  targets: readonly BackendAddress[],
  how: ForwarderHow = { socketsMax: BACKEND_SOCKETS_MAX },
): ForwarderWorld {
  const clock = aMovableClock()
  const logLines: string[] = []
  const log = openLog(
    { level: 'info', pretty: false },
    {},
    { write: (line) => logLines.push(line) },
  )
  const record = createEdgeRecord({ log, metrics: createMetrics() })
  const health = createHealth({ clock, record }, targets)
  const forwarder = createForwarder({ health, record, clock }, targets, how)
  return {
    forwarder,
    clock,
    logLines,
    ask: (target = '/', method = 'GET') => ask(forwarder, aPassage(target, method)),
    [Symbol.asyncDispose]: () => forwarder.close(),
  }
}

export function tcp({ port }: { readonly port: number }): BackendAddress {
  return { kind: 'tcp', host: '127.0.0.1', port }
}

function aPassage(target: string, method: string): Passage {
  return {
    method,
    hostname: host(OURS),
    target,
    lines: toHeaderLines('Accept: */*\r\n'),
    userAgent: 'test',
    requestId: '0123',
    connection: {
      hostname: undefined,
      arrival: {
        secure: true,
        protocol: 'http/1.1',
        servername: host(OURS),
        address: '192.0.2.1',
        port: 443,
      },
    },
  }
}

function ask(forwarder: Forwarder, passage: Passage): Asking {
  const { promise: answered, resolve } = Promise.withResolvers<Answered>()
  let left: ((why: WhyLeft) => void) | undefined
  let head: AnswerHead | undefined
  let body = ''
  let isOver = false
  const finish = (end: Answered['end']): void => {
    isOver = true
    resolve({ status: head?.status ?? 0, head, body, end })
  }
  const answer: Answer = {
    get isOver() {
      return isOver
    },
    whenLeft: (then) => {
      left = then
    },
    whenOver: () => undefined,
    send: (whole, bytes) => {
      head = whole
      body = bytes.toString('latin1')
      finish('sent')
    },
    begin: (begun) => {
      head = begun
    },
    write: (piece) => {
      body += piece.toString('latin1')
      return true
    },
    whenDrained: (more) => more(),
    end: () => finish('ended'),
    breakOff: () => finish('broken-off'),
  }
  forwarder.carry(passage, answer)
  return {
    answered,
    leave: () => {
      isOver = true
      left?.('gone')
    },
  }
}
