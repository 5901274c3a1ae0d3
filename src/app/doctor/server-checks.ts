import type { z } from 'zod'
import {
  acmeStatusSchema,
  keyStatusSchema,
  type WireAcmeStatus,
  type WireKeyStatus,
  webhooksStatusSchema,
} from '../../api/index.ts'
import type { DoctorCheck, Finding } from './check.ts'
import type { FindServer, RunningServer } from './running-server.ts'

/** What only the server knows that runs here: budgets, who waits, what is to come, and who is told. */
export function serverChecks(findServer: FindServer): readonly DoctorCheck[] {
  const throughServer = <Answer extends z.ZodType>(
    name: string,
    { path, answer }: { readonly path: string; readonly answer: Answer },
    judge: (told: z.output<Answer>) => Finding,
  ): DoctorCheck => ({
    name,
    run: async (signal) => {
      const server = await findServer()
      if (!server) return NOT_RUNNING
      const told = await server.ask({ path, answer }, signal)
      return told.kind === 'answer' ? judge(told.answer) : silent(server, told.why)
    },
  })
  const acme = { path: '/acme', answer: acmeStatusSchema }

  return [
    throughServer('budgets', acme, judgeBudgets),
    throughServer('queue', acme, judgeQueue),
    throughServer('forecast', acme, judgeForecast),
    throughServer('paused names', acme, judgePauses),
    throughServer('key rotation', { path: '/keys', answer: keyStatusSchema }, judgeKeys),
    throughServer('webhooks', { path: '/webhooks', answer: webhooksStatusSchema }, judgeWebhooks),
  ]
}

function silent({ pid }: RunningServer, why: string): Finding {
  const fix = 'Look into its log; if it hangs, restart it.'
  return { verdict: 'bad', seen: `our server (${pid}) does not say: ${why}`, fix }
}

/** Our accounts at CAs, by the CA's name: none where no server runs that would know. */
export async function accountUrlsOf(
  findServer: FindServer,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const server = await findServer()
  const told = await server?.ask({ path: '/acme', answer: acmeStatusSchema }, signal)
  // Silence is a finding of other checks.
  if (told?.kind !== 'answer') return new Map()
  return new Map(
    told.answer.authorities.flatMap(({ name, accountUrl }) =>
      accountUrl === null ? [] : [[name, accountUrl] as const],
    ),
  )
}

const NOT_RUNNING: Finding = { verdict: 'ok', seen: 'seen while a server runs here' }

/** Below this share of a limit the next busy hour may find it empty. */
const SHARE_LOW = 0.1

/** Buckets of single names and domains fill and empty as they like: shown, but no cause to act. */
function judgeBudgets({ authorities }: WireAcmeStatus): Finding {
  const seen = authorities
    .map(({ name, health, heldUntil, budgets }) => {
      const own = budgets.filter(({ bucket }) => bucket === null)
      const left = own.map(
        (each) => `${each.left} of ${each.capacity} ${each.limit} per ${each.per}`,
      )
      const state = health === 'up' ? '' : ` (${health}${heldUntil ? ` until ${heldUntil}` : ''})`
      return `${name}${state}: ${left.join(', ') || 'nothing is counted'}`
    })
    .join('; ')
  const isTroubled = authorities.some(({ health }) => health !== 'up')
  const isLow = authorities.some(({ budgets }) => budgets.some(isRunningOut))
  if (!isTroubled && !isLow) return { verdict: 'ok', seen }
  const fix = isTroubled
    ? 'Nothing is lost yet; a second CA in acme.ca takes over where one fails for long.'
    : 'Spread new hosts over time, ask the CA for a higher limit, or name a second CA in acme.ca.'
  return { verdict: 'warn', seen, fix }
}

/** Our own pace is there to be used up. */
function isRunningOut({ limit, bucket, left, capacity }: WireBudget): boolean {
  return bucket === null && limit !== 'own-pace' && left < capacity * SHARE_LOW
}

type WireBudget = WireAcmeStatus['authorities'][number]['budgets'][number]

function judgeQueue({ queue }: WireAcmeStatus): Finding {
  const waiting = queue.filter(({ count }) => count > 0)
  if (waiting.length === 0) return { verdict: 'ok', seen: 'nobody waits for room at a CA' }
  const seen = waiting
    .map(({ urgency, count, oldest }) => `${count} ${urgency}${oldest ? ` since ${oldest}` : ''}`)
    .join(', ')
  if (!waiting.some(({ urgency }) => urgency === 'expiring')) return { verdict: 'ok', seen }
  const fix = 'Name a second CA in acme.ca, or ask the CA for a higher limit: these expire soon.'
  return { verdict: 'bad', seen, fix }
}

function judgeForecast({ forecast }: WireAcmeStatus): Finding {
  const { hours, total, mean, peak } = forecast
  const days = Math.round(hours.length / 24)
  const most = peak ? `, at most ${peak.certificates} (${peak.at})` : ''
  const seen = `${total} renewals in ${days} days, ${Math.round(mean * 10) / 10} an hour${most}`
  if (forecast.carried) return { verdict: 'ok', seen }
  const wait = `${Math.round(forecast.longestWaitHours)} hours`
  const fix = `Ask the CA for a higher limit, or name a second one in acme.ca: some wait for ${wait}.`
  return { verdict: 'warn', seen, fix }
}

const PAUSES_SHOWN_MAX = 5

function judgePauses({ authorities }: WireAcmeStatus): Finding {
  const paused = authorities.flatMap(({ name, pausedNames }) =>
    pausedNames.map((each) => ({ ...each, ca: name })),
  )
  if (paused.length === 0) return { verdict: 'ok', seen: 'none' }
  const names = paused.slice(0, PAUSES_SHOWN_MAX).map(({ host, ca }) => `${host} (${ca})`)
  const links = paused.flatMap(({ unpauseUrl }) => unpauseUrl ?? []).slice(0, PAUSES_SHOWN_MAX)
  const more = paused.length > names.length ? ` and ${paused.length - names.length} more` : ''
  const lift = links.length === 0 ? 'at the CA' : `at ${links.join(' , ')}`
  const fix = `Mend these hosts (postern host show), then lift the pause ${lift}`
  return { verdict: 'warn', seen: `${names.join(', ')}${more}`, fix }
}

function judgeKeys({ keys, rotation }: WireKeyStatus): Finding {
  const missing = keys.filter(({ use }) => use === 'missing')
  if (missing.length > 0) {
    const seen = `${restingUnder(missing)}, which is not at hand`
    return { verdict: 'bad', seen, fix: 'Put that key back into vault.key, and restart.' }
  }
  if (rotation && rotation.finishedAt === null) {
    const seen = `${rotation.done} of ${rotation.total} secrets moved to ${rotation.toKeyId}`
    const hindrance = rotation.problem ?? rotation.waitsFor
    const fix = 'See postern key status. Until it is through, keep the old key.'
    if (hindrance === null) return { verdict: 'ok', seen: `under way: ${seen}` }
    return { verdict: 'warn', seen: `${seen}: ${hindrance}`, fix }
  }
  const old = keys.filter(({ use, secrets }) => use !== 'seals' && secrets > 0)
  if (old.length === 0) return { verdict: 'ok', seen: 'all secrets rest under one key' }
  const fix = 'Finish it: postern key rotate. Until then keep the old key.'
  return { verdict: 'warn', seen: restingUnder(old), fix }
}

function restingUnder(keys: WireKeyStatus['keys']): string {
  return keys.map(({ keyId, secrets }) => `${secrets} secrets rest under ${keyId}`).join(', ')
}

function judgeWebhooks({
  waiting,
  waitingSince,
  failing,
}: {
  readonly waiting: number
  readonly waitingSince: string | null
  readonly failing: number
}): Finding {
  const since = waitingSince === null ? '' : `, the oldest since ${waitingSince}`
  if (failing === 0) return { verdict: 'ok', seen: `${waiting} events on their way${since}` }
  const seen = `${failing} do not take what they are sent; ${waiting} events wait${since}`
  const fix = 'See postern webhook show --account ACCOUNT, and tell their owners.'
  return { verdict: 'warn', seen, fix }
}
