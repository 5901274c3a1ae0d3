import {
  type AcmeOptions,
  certificateAuthoritiesOf,
  type Forecast,
  forecastRenewals,
  KNOWN_PROFILES,
  renewalsPerHour,
  withLimits,
} from '../acme/index.ts'
import type { CertificateStore } from '../certs/index.ts'
import { after, type Clock, days, minutes } from '../kernel/index.ts'
import { remembered } from './remembered.ts'

interface ForecastDeps {
  readonly certs: Pick<CertificateStore, 'renewalsByHour'>
  readonly clock: Clock
}

/** Renewals planned in the distance: as far as the longest certificate lives (398 days until 2026-03). */
const HORIZON = days(400)
const EVER = new Date(0)
/** What is shown by the hour. */
const WEEKS = 4
/** A million plans take a second to count: whoever asks again soon gets the same. */
const KEPT = minutes(5)

/** The renewals to come, by what the preferred CA allows. */
export function createRenewalForecast(
  { certs, clock }: ForecastDeps,
  { ca, term, limits }: Pick<AcmeOptions, 'ca' | 'term' | 'limits'>,
): () => Promise<Forecast> {
  const [preferred] = certificateAuthoritiesOf(ca)
  const ours = preferred && withLimits(preferred, limits).limits
  const look = async (): Promise<Forecast> => {
    const now = clock.now()
    const planned = await certs.renewalsByHour({ from: EVER, until: after(now, HORIZON) })
    const hosts = planned.reduce((sum, { certificates }) => sum + certificates, 0)
    const perHourMax = (termMs: number): number =>
      ours ? renewalsPerHour(ours, { hosts, termMs }) : Number.POSITIVE_INFINITY
    const profiles = KNOWN_PROFILES
    return forecastRenewals(planned, { now, weeks: WEEKS, profiles, term, perHourMax })
  }
  return remembered(look, { clock, keptFor: KEPT })
}
