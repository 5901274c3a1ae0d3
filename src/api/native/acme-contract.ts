import { z } from 'zod'
import { URGENCIES } from '../../kernel/index.ts'
import { instant } from './wire-words.ts'

const count = z.int().nonnegative()

/** One of a CA's limits as we count it. `per` is a span such as `3h`. */
const budgetSchema = z
  .object({
    limit: z.string(),
    /** The name or domain it counts; `null`: all that we order. */
    bucket: z.string().nullable(),
    per: z.string(),
    capacity: z.number().nonnegative(),
    left: z.number().nonnegative(),
    /** When all of it is there again; `null` if it is. */
    fullAt: instant.nullable(),
  })
  .meta({ id: 'Budget' })

/** A CA of `acme.ca`, in the order of preference. */
const authoritySchema = z
  .object({
    name: z.string(),
    directoryUrl: z.string(),
    health: z.enum(['up', 'down', 'held']),
    heldUntil: instant.nullable(),
    why: z.string().nullable(),
    accountUrl: z.string().nullable(),
    profile: z.string().nullable(),
    budgets: z.array(budgetSchema),
    /** The CA refuses these until somebody lifts the pause at `unpauseUrl`. */
    pausedNames: z.array(
      z.object({ host: z.string(), pausedAt: instant, unpauseUrl: z.string().nullable() }),
    ),
  })
  .meta({ id: 'Authority' })
export type WireAuthority = z.infer<typeof authoritySchema>

/** Hosts that wait for room at a CA. */
const queuedSchema = z
  .object({ urgency: z.enum(URGENCIES), count, oldest: instant.nullable() })
  .meta({ id: 'Queued' })

const loadFields = {
  /** How long a renewal waits for the CA's limits at the worst. */
  longestWaitHours: z.number().nonnegative(),
  /** Do the limits carry it, so that nobody waits for more than a day? */
  carried: z.boolean(),
}

/** Renewals to come. */
const forecastSchema = z
  .object({
    from: instant,
    /** Certificates to renew in the hour that begins so many hours after `from`. */
    hours: z.array(count),
    total: count,
    peak: z.object({ at: instant, certificates: count }).nullable(),
    /** Per hour. */
    mean: z.number().nonnegative(),
    ...loadFields,
    /** What it would come to if each certificate were of this profile from its next renewal on. */
    profiles: z.array(
      z.object({
        name: z.string(),
        lifetimeDays: z.number().positive(),
        renewalsPerDay: z.number().nonnegative(),
        peakPerHour: z.number().nonnegative(),
        ...loadFields,
      }),
    ),
  })
  .meta({ id: 'Forecast' })
export type WireForecast = z.infer<typeof forecastSchema>

/** Accounts at certificate authorities, what is under way there, and what is to come. */
export const acmeStatusSchema = z
  .object({
    authority: z.object({ name: z.string(), directoryUrl: z.string() }),
    accounts: z.array(
      z.object({ directoryUrl: z.string(), url: z.string().nullable(), createdAt: instant }),
    ),
    openOrders: z.array(
      z.object({
        host: z.string(),
        state: z.string(),
        url: z.string().nullable(),
        createdAt: instant,
      }),
    ),
    authorities: z.array(authoritySchema),
    queue: z.array(queuedSchema),
    forecast: forecastSchema,
  })
  .meta({ id: 'AcmeStatus' })
export type WireAcmeStatus = z.infer<typeof acmeStatusSchema>
