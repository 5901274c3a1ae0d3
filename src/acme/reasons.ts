import type { Hostname, Reason, ReasonCode } from '../kernel/index.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import type { AcmeError, AcmeErrorCode, AcmeProblem } from './errors.ts'

/** Says to the host's owner, or to the operator, why there is no certificate and what helps. */
export function toReason(
  error: AcmeError,
  {
    authority,
    hostname,
  }: { readonly authority: CertificateAuthority; readonly hostname: Hostname },
): Reason {
  const { code, says, fix } = ADVICE[error.code]
  const facts = { ca: authority.title, hostname, origin: new URL(authority.directoryUrl).host }
  const detail = plainLine(detailFor(hostname, error.problem) ?? error.message)
  return {
    code,
    sentence: detail === '' ? `${says(facts)}.` : `${says(facts)}: ${detail}`,
    fix: error.fix ?? fix({ ...facts, link: linkIn(detail) }),
  }
}

interface Facts {
  readonly ca: string
  readonly hostname: Hostname
  readonly origin: string
}

interface Advice {
  readonly code: ReasonCode
  readonly says: (facts: Facts) => string
  readonly fix: (facts: Facts & { readonly link: string | undefined }) => string
}

const CA_IN_TROUBLE: Advice = {
  code: 'ca/unavailable',
  says: ({ ca }) => `${ca} could not serve the request`,
  fix: ({ ca }) => `Nothing: it is asked again. If it goes on for hours, see ${ca}'s status page.`,
}

const OUR_REQUEST_REFUSED: Advice = {
  code: 'ca/rejected',
  says: ({ ca }) => `${ca} refused the request`,
  fix: () => 'See the log for what was refused, and check the acme options.',
}

/** The compiler keeps this table complete. */
const ADVICE: Readonly<Record<AcmeErrorCode, Advice>> = {
  'acme/account-refused': {
    code: 'ca/rejected',
    says: ({ ca }) => `${ca} does not accept our account`,
    fix: ({ link }) =>
      link
        ? `Follow ${link} and do what it asks for.`
        : 'Set acme.eab to the kid:hmac that the CA gives its customers.',
  },
  'acme/account-unknown': {
    code: 'ca/rejected',
    says: ({ ca }) => `${ca} does not know our account any more`,
    fix: () => 'Nothing: it is registered anew at the next attempt.',
  },
  'acme/already-replaced': OUR_REQUEST_REFUSED,
  'acme/bad-answer': {
    code: 'ca/unavailable',
    says: ({ ca }) => `${ca} gave an answer that cannot be used`,
    fix: ({ origin }) =>
      `Nothing, if it passes. Otherwise look for a proxy between this machine and ${origin}.`,
  },
  'acme/bad-nonce': CA_IN_TROUBLE,
  'acme/bad-request': OUR_REQUEST_REFUSED,
  'acme/bad-roots': {
    code: 'ca/unavailable',
    says: () => 'The file named by acme.roots cannot be read',
    fix: () => 'Correct acme.roots, or leave it out if the CA has a public certificate.',
  },
  'acme/challenge-connection': {
    code: 'http/unreachable',
    says: ({ ca, hostname }) => `${ca} could not connect to ${hostname}`,
    fix: () => 'Let the whole world reach port 80 of the edge: the CA asks from several places.',
  },
  'acme/challenge-dns': {
    code: 'dns/servfail',
    says: ({ ca, hostname }) => `${ca} could not resolve ${hostname}`,
    fix: ({ hostname }) => `Check the name servers of ${hostname}, DNSSEC included.`,
  },
  'acme/challenge-wrong-answer': {
    code: 'http/wrong-answer',
    says: ({ ca, hostname }) => `${ca} got another answer from ${hostname} than ours`,
    fix: ({ hostname }) =>
      `Let every address of ${hostname} lead to this edge, without a proxy in front.`,
  },
  'acme/clock-wrong': {
    code: 'postern/clock-wrong',
    says: ({ ca }) => `The clock of this machine is wrong, by that of ${ca}`,
    fix: () => 'Let a time service set the clock: timedatectl set-ntp true.',
  },
  'acme/forbidden-by-caa': {
    code: 'caa/forbids',
    says: ({ ca, hostname }) => `A CAA record does not let ${ca} issue for ${hostname}`,
    fix: ({ hostname }) => `Allow the CA in the CAA record that governs ${hostname}.`,
  },
  'acme/name-refused': {
    code: 'ca/rejected',
    says: ({ ca, hostname }) => `${ca} does not issue for ${hostname}`,
    fix: () => 'Use another name, or another CA (acme.ca).',
  },
  'acme/not-valid': {
    code: 'ca/rejected',
    says: ({ ca, hostname }) => `${ca} ended the order for ${hostname} without a reason`,
    fix: () => 'Nothing: a new order is placed at the next attempt.',
  },
  'acme/order-not-ready': CA_IN_TROUBLE,
  'acme/over-budget': {
    code: 'ca/rate-limited',
    says: ({ ca, hostname }) => `${hostname} waits its turn, to stay within the limits of ${ca}`,
    fix: () => 'Nothing: it goes on by itself. The CA may grant higher limits (acme.limits).',
  },
  'acme/paused': {
    code: 'ca/paused',
    says: ({ ca, hostname }) => `${ca} has paused issuance for ${hostname}`,
    fix: ({ link }) =>
      link ? `Repair the host, then lift the pause at ${link}` : 'Lift the pause at the CA.',
  },
  'acme/profile-unknown': {
    code: 'ca/rejected',
    says: ({ ca }) => `${ca} does not offer this profile`,
    fix: () => 'Correct acme.profile, or leave it out for the default.',
  },
  'acme/rate-limited': {
    code: 'ca/rate-limited',
    says: ({ ca }) => `${ca} limits how much it issues to us`,
    fix: () => 'Nothing: it is asked again when the limit allows. The CA may grant a higher one.',
  },
  'acme/terms-not-agreed': {
    code: 'term/not-agreed',
    says: ({ ca }) => `The terms of ${ca} have not been agreed to`,
    fix: ({ link }) =>
      `Read ${link ?? 'its terms'} and set acme.agreeTerms to true (POSTERN_ACME_AGREE_TERMS=true).`,
  },
  'acme/unauthorized': {
    code: 'ca/rejected',
    says: ({ ca }) => `${ca} does not let our account do this`,
    fix: () => 'Check with the CA whether the account was deactivated.',
  },
  'acme/unavailable': CA_IN_TROUBLE,
  'acme/unreachable': {
    code: 'ca/unavailable',
    says: ({ ca }) => `${ca} could not be reached`,
    fix: ({ origin }) =>
      `Nothing, if it passes. Otherwise let this machine connect to ${origin} by https.`,
  },
}

/** The first link in what a CA says: its terms, or where a pause is lifted. */
export function linkIn(text: string): string | undefined {
  return /https?:\/\/[^\s"'<>]+/.exec(text)?.[0]?.replace(/[.,;)]+$/, '')
}

/** Where each name has a problem of its own (RFC 8555 §6.7.1), the one of this name. */
function detailFor(hostname: Hostname, problem: AcmeProblem | undefined): string | undefined {
  const own = problem?.subproblems.find(({ identifier }) => identifier === hostname)
  return own?.detail ?? problem?.detail
}

/** A CA's words come from outside, and may quote what a stranger's server said. */
const DETAIL_CHARACTERS_MAX = 400

function plainLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  return line.length <= DETAIL_CHARACTERS_MAX ? line : `${line.slice(0, DETAIL_CHARACTERS_MAX)}…`
}
