import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Clock, type Hostname, newId, type Random, unreachable } from '../kernel/index.ts'
import type { EdgeRecord } from '../telemetry/index.ts'
import {
  type ChallengePath,
  type ChallengeResponder,
  readChallengePath,
} from './challenge-responder.ts'
import { type Connection, isOurs, mayCarry } from './ownership.ts'
import { type Page, sendLastPage, sendPage, sendProof, writeLastPage } from './pages.ts'
import type { CertificateSource, HostMembership } from './ports.ts'
import { judgeRequest, type RequestHead, type RequestVerdict } from './request-rules.ts'
import type { Sni } from './sni.ts'

//  head ──► rules ──► this connection's host? ──► challenge? ──► ours? ──► policy ──► backend
//            400           421                      200           421       308

export type AcceptedRequest = Extract<RequestVerdict, { kind: 'accepted' }>

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

export interface ExchangeDeps {
  readonly membership: HostMembership
  readonly certificates: CertificateSource
  readonly sni: Pick<Sni, 'lacksCertificate'>
  readonly challenges: ChallengeResponder
  readonly carrier: Carrier
  readonly record: EdgeRecord
  readonly clock: Clock
  readonly random: Random
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

type Decision =
  | { readonly kind: 'carry'; readonly accepted: AcceptedRequest }
  | { readonly kind: 'prove'; readonly proof: string }
  | { readonly kind: 'answer'; readonly page: Page }
  /** The rest of the connection is not trusted after this. */
  | { readonly kind: 'refuse'; readonly rule: string; readonly page: Page }

const NO_CHALLENGE: Decision = {
  kind: 'answer',
  page: { status: 404, sentence: 'No such challenge.' },
}
const NOT_UPGRADED: Page = { status: 400, sentence: 'There is nothing to upgrade to here.' }
const BROKEN: Page = { status: 500, sentence: 'Something is broken here. Please try again.' }

export function createExchange(
  deps: ExchangeDeps,
  { httpPolicy }: { readonly httpPolicy: 'serve' | 'redirect' },
): Exchange {
  const { membership, certificates, sni, challenges, carrier, record, clock, random } = deps

  const decide = async (request: IncomingMessage, connection: Connection): Promise<Decision> => {
    const verdict = judgeRequest(headOf(request, connection))
    if (verdict.kind === 'refused') return { ...verdict, kind: 'refuse', page: verdict }
    const { hostname, target } = verdict
    if (!mayCarry(connection, hostname)) return misdirected('other-host')

    const path = readChallengePath(target)
    const proof = await proofFor(request, hostname, path)
    if (proof !== undefined) return { kind: 'prove', proof }
    if (!(await isOurs(membership, hostname))) return misdirected('not-ours')
    if (path.kind !== 'elsewhere') return NO_CHALLENGE
    const policy = await policyFor(hostname, target, connection)
    return policy ?? { kind: 'carry', accepted: verdict }
  }

  const proofFor = async (
    { method }: IncomingMessage,
    hostname: Hostname,
    path: ChallengePath,
  ): Promise<string | undefined> => {
    const isAsked = path.kind === 'token' && (method === 'GET' || method === 'HEAD')
    return isAsked ? await challenges.respond(hostname, path.token) : undefined
  }

  const policyFor = async (
    hostname: Hostname,
    target: string,
    connection: Connection,
  ): Promise<Decision | undefined> => {
    if (connection.arrival.secure) {
      return (await sni.lacksCertificate(hostname)) ? misdirected('no-certificate') : undefined
    }
    if (httpPolicy === 'serve' || !(await certificates.contextFor(hostname))) return undefined
    const headers = { location: `https://${hostname}${target}` }
    return { kind: 'answer', page: { status: 308, sentence: 'Please use https.', headers } }
  }

  const passageOf = (
    request: IncomingMessage,
    accepted: AcceptedRequest,
    connection: Connection,
  ): Passage => ({ request, accepted, connection, requestId: newId({ clock, random }) })

  const decideOrBreak = async (
    request: IncomingMessage,
    connection: Connection,
  ): Promise<Decision> => {
    try {
      return await decide(request, connection)
    } catch (error) {
      record.failed('deciding on a request', error)
      return { kind: 'refuse', rule: 'broken', page: BROKEN }
    }
  }

  return {
    serve: async (request, response, connection) => {
      const decision = await decideOrBreak(request, connection)
      switch (decision.kind) {
        case 'carry':
          carrier.carry(passageOf(request, decision.accepted, connection), response)
          return
        case 'prove':
          sendProof(response, decision.proof)
          return
        case 'answer':
          sendPage(response, decision.page)
          return
        case 'refuse':
          record.refused(decision.rule)
          sendLastPage(response, decision.page)
          return
        default:
          unreachable(decision)
      }
    },
    upgrade: async (request, socket, head, connection) => {
      const decision = await decideOrBreak(request, connection)
      if (decision.kind === 'carry' && carrier.tunnel) {
        carrier.tunnel(passageOf(request, decision.accepted, connection), socket, head)
        return
      }
      if (decision.kind === 'refuse') record.refused(decision.rule)
      writeLastPage(socket, 'page' in decision ? decision.page : NOT_UPGRADED)
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

function misdirected(rule: string): Decision {
  return {
    kind: 'refuse',
    rule,
    page: { status: 421, sentence: 'This host is not served on this connection.' },
  }
}
