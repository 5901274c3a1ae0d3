import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Clock, newId, type Random, unreachable } from '../../kernel/index.ts'
import type { EdgeRecord } from '../../telemetry/index.ts'
import type { Connection } from './connection.ts'
import type { AcceptedRequest, Decide, Decision, Refusal } from './decision.ts'
import { type Page, sendLastPage, sendPage, sendProof, writeLastPage } from './pages.ts'
import { judgeRequest, type RequestHead } from './request-rules.ts'

/** One accepted request and what is known about it, on its way to a backend. */
export interface Passage {
  readonly request: IncomingMessage
  readonly accepted: AcceptedRequest
  readonly connection: Connection
  readonly requestId: string
}

/** What carries requests to a backend, in this process or elsewhere. MUST end every response. */
export interface Carrier {
  carry(passage: Passage, response: ServerResponse): void
  /** Absent where connections cannot be upgraded. */
  readonly tunnel?: (passage: Passage, socket: Duplex, head: Buffer) => void
}

/** One request and its answer, from head to backend. */
export interface Exchange {
  serve(request: IncomingMessage, response: ServerResponse, connection: Connection): Promise<void>
  /** For a request to change to WebSocket; only asked where the carrier has tunnels. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    connection: Connection,
  ): Promise<void>
}

const NOT_UPGRADED: Page = { status: 400, sentence: 'There is nothing to upgrade to here.' }
const BROKEN: Page = { status: 500, sentence: 'Something is broken here. Please try again.' }

export function createExchange({
  decide,
  carrier,
  record,
  clock,
  random,
}: {
  readonly decide: Decide
  readonly carrier: Carrier
  readonly record: Pick<EdgeRecord, 'refused' | 'failed'>
  readonly clock: Clock
  readonly random: Random
}): Exchange {
  const decideOrBreak: Decide = async (...facts) => {
    try {
      return await decide(...facts)
    } catch (error) {
      record.failed('deciding on a request', error)
      return { kind: 'refuse', rule: 'broken', page: BROKEN }
    }
  }
  const refuse = (response: ServerResponse, { rule, page }: Omit<Refusal, 'kind'>): void => {
    record.refused(rule)
    sendLastPage(response, page)
  }

  return {
    serve: async (request, response, connection) => {
      // Before anything that waits: node:http must know that this connection ends, before it goes
      // on to read what comes after a head that cannot be trusted.
      const accepted = judgeRequest(headOf(request, connection))
      if (accepted.kind === 'refused') {
        refuse(response, { rule: accepted.rule, page: accepted })
        return
      }
      const decision = await decideOrBreak(request.method ?? '', accepted, connection)
      switch (decision.kind) {
        case 'carry': {
          const requestId = newId({ clock, random })
          carrier.carry({ request, accepted, connection, requestId }, response)
          return
        }
        case 'prove':
          sendProof(response, decision.proof)
          return
        case 'answer':
          sendPage(response, decision.page)
          return
        case 'refuse':
          refuse(response, decision)
          return
        default:
          unreachable(decision)
      }
    },
    upgrade: async (request, socket, head, connection) => {
      const accepted = judgeRequest(headOf(request, connection))
      if (accepted.kind === 'refused') {
        record.refused(accepted.rule)
        writeLastPage(socket, accepted)
        return
      }
      const decision = await decideOrBreak(request.method ?? '', accepted, connection)
      if (decision.kind === 'carry' && carrier.tunnel && mayTunnel(accepted)) {
        const requestId = newId({ clock, random })
        carrier.tunnel({ request, accepted, connection, requestId }, socket, head)
        return
      }
      if (decision.kind === 'refuse') record.refused(decision.rule)
      writeLastPage(socket, pageInstead(decision))
    },
  }
}

function headOf(request: IncomingMessage, { arrival }: Connection): RequestHead {
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    version: request.httpVersion,
    fields: request.rawHeaders,
    secure: arrival.secure,
  }
}

/** A body before the upgrade would be left in the backend's socket, for the next request to meet. */
function mayTunnel({ upgrade, body }: AcceptedRequest): boolean {
  return upgrade === 'websocket' && body === 'none'
}

/** What is said to a request that wanted to leave HTTP and may not. */
function pageInstead(decision: Decision): Page {
  return 'page' in decision ? decision.page : NOT_UPGRADED
}
