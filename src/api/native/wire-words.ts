import { z } from 'zod'

/*
 * Words that several files of the contract share. Bounds are those of honest callers: nothing that
 * we hand out is longer.
 */

/** Items of a page unless asked for otherwise, and the most that one request gets. */
const PAGE_ITEMS_DEFAULT = 100
const PAGE_ITEMS_MAX = 1000
/** Cursors are ids or hostnames: nothing longer was made by us. */
const CURSOR_CHARACTERS_MAX = 300
/** RFC 1035's 253, and room for a dot or capital to be forgiven. */
export const NAME_CHARACTERS_MAX = 300
/** What browsers and mail clients still carry as one URL. */
export const URL_CHARACTERS_MAX = 4000
const ACCOUNT_PATTERN = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/

/** ISO 8601 in UTC. */
export const instant = z.iso.datetime()

/** A name as somebody typed it, to be parsed by us. */
export const typedName = z.string().min(1).max(NAME_CHARACTERS_MAX)

/** Whose something is. Small letters, so that no two accounts look alike. */
export const accountId = z
  .string()
  .regex(ACCOUNT_PATTERN, 'not an account: 1–64 of a–z, 0–9, dot, hyphen and underscore')

/** What a page is asked for with. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(PAGE_ITEMS_MAX).default(PAGE_ITEMS_DEFAULT),
  cursor: z.string().min(1).max(CURSOR_CHARACTERS_MAX).optional(),
}

/** Why something waits or failed: what was seen, and what to do about it. */
export const reasonSchema = z
  .object({ code: z.string(), sentence: z.string(), fix: z.string() })
  .meta({ id: 'Reason' })

/** Part of a longer list. `nextCursor` fetches what follows; `null` when nothing does. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() })
}
