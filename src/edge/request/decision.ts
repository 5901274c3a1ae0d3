import type { Hostname } from '../../kernel/index.ts'
import type { CertificateSource, HostMembership } from '../ports.ts'
import type { Sni } from '../tls/sni.ts'
import {
  type ChallengePath,
  type ChallengeResponder,
  readChallengePath,
} from './challenge-responder.ts'
import type { Connection } from './connection.ts'
import { isOurs, mayCarry } from './ownership.ts'
import type { Page } from './pages.ts'
import type { RequestVerdict } from './request-rules.ts'
import type { VisitBook } from './visits.ts'

//  head ──► rules ──► this connection's host? ──► challenge? ──► ours? ──► policy ──► backend
//            400           421                      200           421       308

/** A request that the rules let through. */
export type AcceptedRequest = Extract<RequestVerdict, { kind: 'accepted' }>

/** What becomes of it. */
export type Decision =
  | { readonly kind: 'carry' }
  | { readonly kind: 'prove'; readonly proof: string }
  | { readonly kind: 'answer'; readonly page: Page }
  | Refusal

/** The rest of the connection is not trusted after this. */
export interface Refusal {
  readonly kind: 'refuse'
  readonly rule: string
  readonly page: Page
}

export interface DecisionDeps {
  readonly membership: HostMembership
  readonly certificates: CertificateSource
  readonly sni: Pick<Sni, 'lacksCertificate'>
  readonly challenges: ChallengeResponder
  readonly visits: Pick<VisitBook, 'note'>
}

export type Decide = (
  method: string,
  accepted: AcceptedRequest,
  connection: Connection,
) => Promise<Decision>

/** Decides on accepted requests: whose they are, and whether a backend is to see them. */
export function createDecide(
  { membership, certificates, sni, challenges, visits }: DecisionDeps,
  { httpPolicy }: { readonly httpPolicy: 'serve' | 'redirect' },
): Decide {
  const proofFor = async (
    method: string,
    hostname: Hostname,
    path: ChallengePath,
  ): Promise<string | undefined> => {
    const isAsked = path.kind === 'token' && (method === 'GET' || method === 'HEAD')
    return isAsked ? await challenges.respond(hostname, path.token) : undefined
  }
  const policyFor = async (
    { hostname, target }: AcceptedRequest,
    { arrival }: Connection,
  ): Promise<Decision> => {
    if (arrival.secure) {
      return (await sni.lacksCertificate(hostname)) ? misdirected('no-certificate') : CARRY
    }
    if (httpPolicy === 'serve' || !(await certificates.contextFor(hostname))) return CARRY
    const headers = { location: `https://${hostname}${target}` }
    return { kind: 'answer', page: { status: 308, sentence: 'Please use https.', headers } }
  }

  return async (method, accepted, connection) => {
    const { hostname, target } = accepted
    if (!mayCarry(connection, hostname)) return misdirected('other-host')
    const path = readChallengePath(target)
    const proof = await proofFor(method, hostname, path)
    if (proof !== undefined) return { kind: 'prove', proof }
    if (!(await isOurs(membership, hostname))) return misdirected('not-ours')
    // A CA, or we ourselves, looking for a proof.
    if (path.kind !== 'elsewhere') return NO_CHALLENGE
    visits.note(hostname)
    return await policyFor(accepted, connection)
  }
}

const CARRY: Decision = { kind: 'carry' }
const NO_CHALLENGE: Decision = {
  kind: 'answer',
  page: { status: 404, sentence: 'No such challenge.' },
}

function misdirected(rule: string): Decision {
  return {
    kind: 'refuse',
    rule,
    page: { status: 421, sentence: 'This host is not served on this connection.' },
  }
}
