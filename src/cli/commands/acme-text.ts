import type { WireAcmeStatus, WireAuthority, WireForecast } from '../../api/native/contract.ts'
import { toBars } from '../output/chart.ts'
import { toInstant } from '../output/instant.ts'
import { printable } from '../output/printable.ts'
import { toFacts, toTable } from '../output/table.ts'

/** How we stand with CAs, who waits, and what is to come. */
export function acmeStatusToText(status: WireAcmeStatus, now: Date): string {
  return [
    ...status.authorities.map((authority) => authorityToText(authority, now)),
    queueToText(status.queue, now),
    forecastToText(status.forecast, now),
  ].join('\n')
}

function authorityToText(authority: WireAuthority, now: Date): string {
  const { name, health, heldUntil, why, budgets, pausedNames } = authority
  const until = heldUntil === null ? '' : ` until ${toInstant(heldUntil, now)}`
  const facts = toFacts([
    ['CA', name],
    ['directory', authority.directoryUrl],
    ['state', `${HEALTH[health]}${until}${why === null ? '' : `: ${why}`}`],
    ['account', authority.accountUrl ?? 'none yet'],
    ['profile', authority.profile ?? undefined],
  ])
  const rows = budgets.map(({ limit, bucket, left, capacity, per, fullAt }) => [
    bucket === null ? limit : `${limit} of ${bucket}`,
    `${left} of ${capacity}`,
    per,
    toInstant(fullAt, now),
  ])
  const table = rows.length === 0 ? '' : toTable(['limit', 'left', 'per', 'full again'], rows)
  const paused = pausedNames.map(({ host, pausedAt, unpauseUrl }) => {
    const since = toInstant(pausedAt, now)
    return `paused  ${host} since ${since}: ${unpauseUrl ? `lift it at ${unpauseUrl}` : 'lift it at the CA'}`
  })
  return `${facts}${table}${paused.map((line) => `${printable(line)}\n`).join('')}`
}

const HEALTH: Readonly<Record<WireAuthority['health'], string>> = {
  up: 'answers',
  down: 'does not answer',
  held: 'told us to wait',
}

function queueToText(queue: WireAcmeStatus['queue'], now: Date): string {
  const waiting = queue.filter(({ count }) => count > 0)
  if (waiting.length === 0) return 'Nobody waits for room at a CA.\n'
  const rows = waiting.map(({ urgency, count, oldest }) => [
    urgency,
    String(count),
    toInstant(oldest, now),
  ])
  return toTable(['urgency', 'waiting', 'the oldest since'], rows)
}

/** Wide enough to see days in four weeks, narrow enough for every terminal. */
const CHART_WIDTH = 60

function forecastToText(forecast: WireForecast, now: Date): string {
  const { from, hours, total, peak, mean, carried, longestWaitHours, profiles } = forecast
  const days = Math.round(hours.length / 24)
  const { bars, perBar } = toBars(hours, CHART_WIDTH)
  const most = peak ? `, at most ${peak.certificates} (${toInstant(peak.at, now)})` : ''
  const lines = [
    `Renewals from ${from.slice(0, 10)} for ${days} days: ${total}, ${round(mean)} an hour${most}`,
    ...(total === 0 ? [] : [`  ${bars}  each mark ${perBar} h`]),
    ...(carried ? [] : [`  more than the limits carry: ${waiting(longestWaitHours)}`]),
    ...profiles.map(profileToText),
  ]
  return lines.map((line) => `${printable(line)}\n`).join('')
}

function profileToText(profile: WireForecast['profiles'][number]): string {
  const { name, lifetimeDays, renewalsPerDay, carried, longestWaitHours } = profile
  const load = `${round(renewalsPerDay)} a day`
  const excess = carried ? '' : `, more than the limits carry: ${waiting(longestWaitHours)}`
  return `  with profile ${name} (${round(lifetimeDays)} days): ${load}${excess}`
}

function waiting(hours: number): string {
  return `some would wait for ${Math.round(hours)} hours`
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10)
}
