import { days, formatDuration } from '../../kernel/index.ts'
import type { AcmeView, AuthorityView, ForecastView, QueuedView } from '../ports.ts'
import type { WireAcmeStatus, WireAuthority, WireForecast } from './contract.ts'

/** Longer forecasts are cut: six weeks of hours, some 4 kB. */
const FORECAST_HOURS_MAX = 6 * 7 * 24
/** Of each CA: enough to act upon, few enough for one answer. */
const PAUSED_NAMES_MAX = 1000
const HOUR_MS = 3_600_000

/** How we stand with CAs, and what is to come. */
export function acmeStatusToWire({
  status,
  queue,
  forecast,
}: {
  readonly status: AcmeView
  readonly queue: readonly QueuedView[]
  readonly forecast: ForecastView
}): WireAcmeStatus {
  return {
    authority: { name: status.authority.name, directoryUrl: status.authority.directoryUrl },
    accounts: status.accounts.map(({ directoryUrl, url, createdAt }) => ({
      directoryUrl,
      url: url ?? null,
      createdAt: createdAt.toISOString(),
    })),
    openOrders: status.openOrders.map(({ hostname, state, url, createdAt }) => ({
      host: hostname,
      state,
      url: url ?? null,
      createdAt: createdAt.toISOString(),
    })),
    authorities: status.authorities.map(authorityToWire),
    queue: queue.map(({ urgency, count, oldest }) => ({
      urgency,
      count,
      oldest: oldest?.toISOString() ?? null,
    })),
    forecast: forecastToWire(forecast),
  }
}

function authorityToWire(authority: AuthorityView): WireAuthority {
  return {
    name: authority.name,
    directoryUrl: authority.directoryUrl,
    health: authority.health,
    heldUntil: authority.heldUntil?.toISOString() ?? null,
    why: authority.why ?? null,
    accountUrl: authority.accountUrl ?? null,
    profile: authority.profile ?? null,
    budgets: authority.budgets.map(({ limit, bucket, per, capacity, left, fullAt }) => ({
      limit,
      bucket: bucket ?? null,
      per: formatDuration(per),
      capacity,
      left,
      fullAt: (left < capacity && fullAt?.toISOString()) || null,
    })),
    pausedNames: authority.pausedNames
      .slice(0, PAUSED_NAMES_MAX)
      .map(({ hostname, pausedAt, unpauseUrl }) => ({
        host: hostname,
        pausedAt: pausedAt.toISOString(),
        unpauseUrl: unpauseUrl ?? null,
      })),
  }
}

function forecastToWire(forecast: ForecastView): WireForecast {
  const { from, hours, profiles } = forecast
  const shown = hours.slice(0, FORECAST_HOURS_MAX)
  const total = shown.reduce((sum, count) => sum + count, 0)
  const peak = Math.max(0, ...shown)
  const peakAt = new Date(from.getTime() + shown.indexOf(peak) * HOUR_MS)
  return {
    from: from.toISOString(),
    hours: [...shown],
    total,
    peak: peak === 0 ? null : { at: peakAt.toISOString(), certificates: peak },
    mean: shown.length === 0 ? 0 : total / shown.length,
    ...loadToWire(forecast),
    profiles: profiles.map((profile) => ({
      name: profile.name,
      lifetimeDays: profile.lifetime / days(1),
      renewalsPerDay: profile.renewalsPerDay,
      peakPerHour: profile.peakPerHour,
      ...loadToWire(profile),
    })),
  }
}

/** A wait without end is no number in JSON. */
const WAIT_HOURS_MAX = 1_000_000

function loadToWire({ longestWait, isCarried }: Pick<ForecastView, 'longestWait' | 'isCarried'>): {
  readonly longestWaitHours: number
  readonly carried: boolean
} {
  return { longestWaitHours: Math.min(WAIT_HOURS_MAX, longestWait / HOUR_MS), carried: isCarried }
}
