import { Agent, type IncomingMessage, request } from 'node:http'
import type { EdgeRecord } from '../../telemetry/index.ts'
import { type BackendAddress, formatBackendAddress } from '../backend/backend-address.ts'
import { OWED_ANSWER_BYTES_MAX, OWED_SEND_MS_MAX } from '../limits.ts'

// RFC 9110 §9.2.1: a GET may be sent again. The same request as the visitor's, as far as a hit goes:
// target, host, address and user agent; not what else the visitor sent, which nobody keeps. One at a
// time, so that hits arrive in order, and at the pace at which the backend answers.

/** A request that a visitor made while the backend did not answer. */
export interface OwedRequest {
  /** What the backend tells hits apart by; it has seen it before if it got the first attempt. */
  readonly id: string
  readonly at: Date
  readonly hostname: string
  readonly target: string
  readonly scheme: 'http' | 'https'
  readonly port: number
  readonly address: string
  readonly userAgent: string
}

/** Tells the operator's backend what it missed. */
export interface OwedSender extends Disposable {
  /**
   * `taken`: a backend has answered, be it that it does not know this link (4xx): asking again would
   * change nothing, and keep all others waiting. `refused`: one answered 5xx, perhaps only to this one.
   * `not-now`: none could be asked, or said 408 or 429.
   */
  send(owed: OwedRequest, signal: AbortSignal): Promise<'taken' | 'refused' | 'not-now'>
}

export function createOwedSender(
  { record }: { readonly record: Pick<EdgeRecord, 'owedNotTaken'> },
  targets: readonly BackendAddress[],
): OwedSender {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let first = 0
  // Why they do not take it is said once, and again after they have taken one.
  let isTold = false
  const tell = (target: BackendAddress, { id: requestId }: OwedRequest, said: Said): void => {
    const why = said.kind === 'answered' ? `status ${said.status}` : said.why
    record.owedNotTaken({ backend: formatBackendAddress(target), why, requestId })
  }

  return {
    send: async (owed, signal) => {
      let outcome: 'refused' | 'not-now' = 'not-now'
      // Whoever took the last one is asked first.
      for (const target of [...targets.slice(first), ...targets.slice(0, first)]) {
        if (signal.aborted) break
        const said = await ask(target, owed, { agent, signal })
        if (isTaken(said)) {
          first = targets.indexOf(target)
          isTold = false
          return 'taken'
        }
        if (said.kind === 'answered' && said.status >= 500) outcome = 'refused'
        if (!isTold) tell(target, owed, said)
      }
      isTold = true
      return outcome
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

function isTaken(said: Said): boolean {
  if (said.kind === 'silent') return false
  const { status } = said
  return status >= 200 && status < 500 && status !== 408 && status !== 429
}

type Said =
  | { readonly kind: 'answered'; readonly status: number }
  | { readonly kind: 'silent'; readonly why: string }

async function ask(
  target: BackendAddress,
  owed: OwedRequest,
  { agent, signal }: { readonly agent: Agent; readonly signal: AbortSignal },
): Promise<Said> {
  const place =
    target.kind === 'tcp' ? { host: target.host, port: target.port } : { socketPath: target.path }
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(OWED_SEND_MS_MAX)])
  const asked = request({
    ...place,
    agent,
    method: 'GET',
    path: owed.target,
    headers: headersOf(owed),
    signal: deadline,
  })
  const said = Promise.withResolvers<Said>()
  asked.once('error', ({ message }) => said.resolve({ kind: 'silent', why: message }))
  asked.once('response', (answer) => said.resolve(readToItsEnd(answer)))
  asked.end()
  return await said.promise
}

/** Only a whole answer counts: one that is cut short may stand for work that was, too. */
async function readToItsEnd(answer: IncomingMessage): Promise<Said> {
  let bytes = 0
  try {
    for await (const piece of answer) {
      bytes += Buffer.byteLength(piece)
      if (bytes > OWED_ANSWER_BYTES_MAX) break
    }
  } catch (error) {
    return { kind: 'silent', why: error instanceof Error ? error.message : String(error) }
  }
  return { kind: 'answered', status: answer.statusCode ?? 0 }
}

function headersOf({ id, at, hostname, scheme, port, address, userAgent }: OwedRequest) {
  return {
    host: hostname,
    'x-forwarded-for': address,
    'x-forwarded-host': hostname,
    'x-forwarded-port': String(port),
    'x-forwarded-proto': scheme,
    'x-request-id': id,
    'postern-hit-id': id,
    'postern-hit-at': at.toISOString(),
    'postern-replay': '1',
    // A value that node:http refuses would keep all others waiting for ever.
    'user-agent': userAgent.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?'),
  }
}
