import { z } from 'zod'
import { instant } from './wire-words.ts'

const count = z.int().nonnegative()

/** A master key, and what rests under it. */
const keySchema = z
  .object({
    keyId: z.string(),
    current: z.boolean(),
    /**
     * `seals`: new secrets get it. `waits`: it is to seal, once all nodes hold it. `opens`: secrets
     * rest under it. `idle`: none do, but a start asks for it until a rotation has ended. `retired`:
     * nobody asks for it but backups. `missing`: secrets rest under it, and it is not at hand.
     */
    use: z.enum(['seals', 'waits', 'opens', 'idle', 'retired', 'missing']),
    secrets: count,
    /** Where it comes from; `null` if it is not at hand. */
    source: z.string().nullable(),
  })
  .meta({ id: 'Key' })
export type WireKey = z.infer<typeof keySchema>

/** The move of all secrets to another master key: the one under way, or the last. */
const keyRotationSchema = z
  .object({
    toKeyId: z.string(),
    startedAt: instant,
    updatedAt: instant,
    finishedAt: instant.nullable(),
    total: count,
    done: count,
    left: count,
    /** Secrets that no key at hand opens; they stay as they are. */
    unreadable: count,
    /** Whether keys under which nothing rests any more are taken away at the end. */
    retireOld: z.boolean(),
    /** What keeps it from going on, as a sentence. */
    waitsFor: z.string().nullable(),
    /** What went wrong at its end, as a sentence. */
    problem: z.string().nullable(),
  })
  .meta({ id: 'KeyRotation' })
export type WireKeyRotation = z.infer<typeof keyRotationSchema>

const keyStatusFields = { keys: z.array(keySchema), rotation: keyRotationSchema.nullable() }

/** Which master keys there are, how many secrets rest under each, and how far a rotation is. */
export const keyStatusSchema = z.object(keyStatusFields).meta({ id: 'KeyStatus' })
export type WireKeyStatus = z.infer<typeof keyStatusSchema>

export const rotateKeysBody = z.strictObject({ retireOld: z.boolean().default(false) }).nullish()

/** What became of the wish, and how things stand. */
export const rotatedKeysSchema = z
  .object({
    outcome: z.enum(['begun', 'under-way', 'nothing-to-do']),
    ...keyStatusFields,
  })
  .meta({ id: 'RotatedKeys' })
export type WireRotatedKeys = z.infer<typeof rotatedKeysSchema>
