import type { Store } from '../store/index.ts'
import type { Certificate } from './certificate.ts'
import { CERTIFICATE_COLUMNS, rowToCertificate } from './certificate-row.ts'
import { CertificateError } from './errors.ts'

export interface PageWishes {
  readonly expiringBefore?: Date | undefined
  /** `nextCursor` of the page before. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface CertificatePage {
  readonly items: readonly Certificate[]
  /** Where the next page starts; absent on the last. */
  readonly nextCursor: string | undefined
}

/** A page is held in memory with its chains: some 5 MB. */
const PAGE_ITEMS_MAX = 1000

/** Reads the certificates being served, the first to expire first. */
export async function readPage(
  db: Store['db'],
  { expiringBefore, after, limit }: PageWishes,
): Promise<CertificatePage> {
  const size = Math.max(1, Math.min(limit, PAGE_ITEMS_MAX))
  let query = db
    .selectFrom('certificates')
    .select(CERTIFICATE_COLUMNS)
    .where('is_current', '=', 1)
    .orderBy('not_after')
    .orderBy('id')
    .limit(size + 1)
  if (expiringBefore) query = query.where('not_after', '<', expiringBefore.getTime())
  if (after !== undefined) {
    const { notAfterMs, id } = parseCursor(after)
    query = query.where(({ eb, and, or }) =>
      or([
        eb('not_after', '>', notAfterMs),
        and([eb('not_after', '=', notAfterMs), eb('id', '>', id)]),
      ]),
    )
  }
  const found = (await query.execute()).map(rowToCertificate)
  const items = found.slice(0, size)
  const last = items.at(-1)
  return { items, nextCursor: last && found.length > size ? toCursor(last) : undefined }
}

function toCursor({ notAfter, id }: Certificate): string {
  return `${notAfter.getTime()}-${id}`
}

function parseCursor(text: string): { readonly notAfterMs: number; readonly id: string } {
  const [, notAfterMs, id] = /^(\d{1,16})-([\w-]{1,64})$/.exec(text) ?? []
  if (notAfterMs !== undefined && id !== undefined) return { notAfterMs: Number(notAfterMs), id }
  throw new CertificateError(
    'certs/bad-cursor',
    'This is not a cursor of a page of certificates.',
    {
      fix: 'Take the cursor from the page before, or leave it out to begin anew.',
    },
  )
}
