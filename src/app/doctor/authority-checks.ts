import type { Authority, CaHealth, Issuer } from '../../acme/index.ts'
import type { Config } from '../../config/index.ts'
import type { Clock } from '../../kernel/index.ts'
import type { Resolver } from '../../net/index.ts'
import { lookAtCaa } from './caa-check.ts'
import type { DoctorCheck, Finding } from './check.ts'

type Cas = Pick<Issuer, 'checkHealth' | 'authorities'>

/** Runs `work` with the configured CAs at hand. */
export type WithCas = <Result>(work: (cas: Cas) => Promise<Result>) => Promise<Result>

/** More than this and signatures, tickets and certificates are judged at the wrong time. */
const SKEW_MS_MAX = 60_000
/** From here on no certificate is ordered: what looks due may not be. */
const SKEW_MS_HOPELESS = 3_600_000

interface AuthorityDeps {
  readonly withCas: WithCas
  /** Our accounts' URLs, by the CA's name, as far as they can be known. */
  readonly accountUrls: (signal: AbortSignal) => Promise<ReadonlyMap<string, string>>
  readonly clock: Clock
  readonly resolver: Pick<Resolver, 'caa'>
}

/** The CAs: does each answer and take us, does its clock agree with ours, may it issue for us? */
export function authorityChecks(
  { withCas, accountUrls, clock, resolver }: AuthorityDeps,
  { acme, edge }: Pick<Config, 'acme' | 'edge'>,
): readonly DoctorCheck[] {
  let asked: Promise<readonly CaHealth[]> | undefined
  const askAll = (signal: AbortSignal): Promise<readonly CaHealth[]> => {
    asked ??= withCas((cas) => cas.checkHealth(signal))
    return asked
  }
  const names = acme.ca.split(',').map((name) => name.trim())
  return [
    { name: 'acme terms', run: async (signal) => judgeTerms(acme, () => askAll(signal)) },
    ...names.map((name, index) => ({
      name: names.length === 1 ? 'certificate authority' : `certificate authority ${name}`,
      run: async (signal: AbortSignal) => judgeHealth((await askAll(signal))[index], name),
    })),
    { name: 'clock', run: async (signal) => judgeClock(await askAll(signal), clock.now()) },
    {
      name: 'caa',
      run: async (signal) => {
        const urls = await accountUrls(signal)
        const authorities = await withCas((cas) => cas.authorities())
        const known = authorities.map((authority) => withAccount(authority, urls))
        return lookAtCaa({ name: edge.name, resolver, authorities: known }, signal)
      },
    },
  ]
}

function withAccount(authority: Authority, urls: ReadonlyMap<string, string>): Authority {
  const accountUrl = urls.get(authority.name) ?? authority.accountUrl
  return { ...authority, accountUrl }
}

async function judgeTerms(
  { agreeTerms, email }: Config['acme'],
  askAll: () => Promise<readonly CaHealth[]>,
): Promise<Finding> {
  if (!agreeTerms) {
    const terms = (await askAll()).flatMap(
      (each) => (each.kind === 'reachable' && each.terms) || [],
    )
    const where = terms.length === 0 ? 'the terms of service of each CA' : terms.join(' , ')
    const fix = `Read ${where} and set acme.agreeTerms to true.`
    return { verdict: 'bad', seen: 'the terms of service are not agreed to', fix }
  }
  if (email !== undefined) return { verdict: 'ok', seen: `agreed to, contact ${email}` }
  const fix = 'Set acme.email, so that the CA can warn you of trouble.'
  return { verdict: 'warn', seen: 'agreed to, but no contact', fix }
}

function judgeHealth(health: CaHealth | undefined, ca: string): Finding {
  if (!health) return { verdict: 'ok', seen: `${ca} is in acme.ca already` }
  if (health.kind === 'unreachable') {
    const fix = health.fix ?? 'Allow outgoing https, and check acme.ca and acme.roots.'
    return { verdict: 'bad', seen: `${ca} does not answer: ${health.reason}`, fix }
  }
  const { obstacle } = health
  if (!obstacle) return { verdict: 'ok', seen: `${ca} answers` }
  return { verdict: 'bad', seen: `${ca} answers, but ${obstacle.reason}`, fix: obstacle.fix }
}

function judgeClock(healths: readonly CaHealth[], now: Date): Finding {
  const caDate = healths.map(clockOf).find((date) => date !== undefined)
  if (caDate === undefined) {
    const fix = 'Check it by hand: date -u, timedatectl.'
    return { verdict: 'warn', seen: 'no CA tells the time', fix }
  }
  const skewMs = now.getTime() - caDate.getTime()
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  if (Math.abs(skewMs) <= SKEW_MS_MAX) return { verdict: 'ok', seen: `${seconds} s from the CA's` }
  const seen = `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} the CA's`
  const fix = 'Let a time service set it: timedatectl set-ntp true.'
  return { verdict: Math.abs(skewMs) > SKEW_MS_HOPELESS ? 'bad' : 'warn', seen, fix }
}

function clockOf(health: CaHealth): Date | undefined {
  return health.kind === 'reachable' ? health.caDate : undefined
}
