import type { CertificateSource, HostMembership } from '../ports.ts'
import type { Sni } from '../tls/sni.ts'
import {
  type ChallengePath,
  type ChallengeResponder,
  readChallengePath,
} from './challenge-responder.ts'
import { ownPage } from './own-pages.ts'
import { isOurs, mayCarry } from './ownership.ts'
import type { Page } from './pages.ts'
import type { Asked } from './passage.ts'
import type { VisitBook } from './visits.ts'

//  head ──► rules ──► this connection's host? ──► challenge? ──► ours? ──► policy ─┬─► backend
//            400           421                      200           421       308     └─► own page

/** What becomes of a request that the rules let through. */
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

/** At once where nothing has to be looked up, which is so for nearly every request. */
export type Decide = (asked: Asked) => Decision | Promise<Decision>

/** Decides on accepted requests: whose they are, and whether a backend is to see them. */
export function createDecide(
  { membership, certificates, sni, challenges, visits }: DecisionDeps,
  {
    httpPolicy,
    name,
  }: { readonly httpPolicy: 'serve' | 'redirect'; readonly name?: string | undefined },
): Decide {
  const proofFor = async (
    { method, hostname }: Asked,
    path: ChallengePath,
  ): Promise<string | undefined> => {
    const isAsked = path.kind === 'token' && (method === 'GET' || method === 'HEAD')
    return isAsked ? await challenges.respond(hostname, path.token) : undefined
  }
  /** A CA, or we ourselves, looking for a proof. */
  const decideOnChallenge = async (asked: Asked, path: ChallengePath): Promise<Decision> => {
    const proof = await proofFor(asked, path)
    if (proof !== undefined) return { kind: 'prove', proof }
    return (await isOurs(membership, asked.hostname)) ? NO_CHALLENGE : NOT_OURS
  }
  const policyFor = ({ hostname, target, connection }: Asked): Decision | Promise<Decision> => {
    if (connection.arrival.secure) {
      return following(sni.lacksCertificate(hostname), (lacks) => (lacks ? NO_CERTIFICATE : CARRY))
    }
    if (httpPolicy === 'serve') return CARRY
    return following(certificates.contextFor(hostname), (served) =>
      served ? redirectTo(`https://${hostname}${target}`) : CARRY,
    )
  }

  return (asked) => {
    const { hostname, connection } = asked
    if (!mayCarry(connection, hostname)) return OTHER_HOST
    const path = readChallengePath(asked.target)
    if (path.kind !== 'elsewhere') return decideOnChallenge(asked, path)
    return following(isOurs(membership, hostname), (ours) => {
      if (!ours) return NOT_OURS
      visits.note(hostname)
      const decision = policyFor(asked)
      if (hostname !== name) return decision
      return following(decision, (made) =>
        made.kind === 'carry' ? { kind: 'answer', page: ownPage(asked) } : made,
      )
    })
  }
}

/** `await` without the wait for what is there already: a promise costs a turn of the loop. */
function following<From, To>(
  known: From | Promise<From>,
  next: (known: From) => To | Promise<To>,
): To | Promise<To> {
  return known instanceof Promise ? known.then(next) : next(known)
}

const CARRY: Decision = { kind: 'carry' }
const NO_CHALLENGE: Decision = {
  kind: 'answer',
  page: { status: 404, sentence: 'No such challenge.' },
}

const OTHER_HOST = misdirected('other-host')
const NOT_OURS = misdirected('not-ours')
const NO_CERTIFICATE = misdirected('no-certificate')

function redirectTo(location: string): Decision {
  const page = { status: 308, sentence: 'Please use https.', headers: { location } }
  return { kind: 'answer', page }
}

function misdirected(rule: string): Decision {
  return {
    kind: 'refuse',
    rule,
    page: { status: 421, sentence: 'This host is not served on this connection.' },
  }
}
