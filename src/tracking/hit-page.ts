import type { Hostname } from '../kernel/index.ts'
import type { HitRow, Store } from '../store/index.ts'

/** A hit as it was stored. */
export interface RecordedHit {
  readonly id: string
  readonly at: Date
  readonly kind: string
  readonly hostname: string
  readonly reference: string
  readonly target: string | null
  readonly address: string
  readonly userAgent: string
}

export interface HitWishes {
  readonly hostname?: Hostname | undefined
  readonly limit: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined
}

export interface HitPage {
  /** Newest first. */
  readonly items: readonly RecordedHit[]
  /** Where the next page starts; absent on the last. */
  readonly nextCursor: string | undefined
}

/** Reads hits that were stored. Ids sort by time, so a cursor is the last id that was seen. */
export async function readHits(
  { db }: Pick<Store, 'db'>,
  { hostname, limit, cursor }: HitWishes,
): Promise<HitPage> {
  let query = db.selectFrom('hits').selectAll().orderBy('id', 'desc')
  if (hostname !== undefined) query = query.where('hostname', '=', hostname)
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  const rows = await query.limit(limit + 1).execute()
  const items = rows.slice(0, limit).map(rowToHit)
  return { items, nextCursor: rows.length > limit ? items.at(-1)?.id : undefined }
}

function rowToHit({ user_agent, at, ...row }: HitRow): RecordedHit {
  return { ...row, at: new Date(at), userAgent: user_agent }
}
