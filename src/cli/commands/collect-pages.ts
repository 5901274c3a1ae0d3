import type { CommandContext } from '../command-context.ts'
import { CliError } from '../errors.ts'

/** What one request is asked for; the API gives no more. */
const ITEMS_PER_REQUEST = 500

interface WirePage<Item> {
  readonly items: readonly Item[]
  readonly nextCursor: string | null
}

/** Follows the pages of a list until `--limit`. Says so on standard error when there is more. */
export async function collectPages<Item>(
  { terminal }: CommandContext,
  { limit: typed }: { readonly limit: string },
  fetchPage: (page: {
    readonly limit: number
    readonly cursor?: string
  }) => Promise<WirePage<Item>>,
): Promise<WirePage<Item>> {
  const limit = countOf(typed)
  const items: Item[] = []
  const nextCursor = await terminal.progress(
    () => `${items.length} read`,
    async () => {
      let cursor: string | null = null
      do {
        const size = Math.min(ITEMS_PER_REQUEST, limit - items.length)
        const page: WirePage<Item> = await fetchPage({ limit: size, ...(cursor ? { cursor } : {}) })
        items.push(...page.items)
        cursor = page.nextCursor
      } while (cursor !== null && items.length < limit)
      return cursor
    },
  )
  if (nextCursor !== null) terminal.note(`There are more than ${limit}: raise --limit.\n`)
  return { items, nextCursor }
}

function countOf(typed: string): number {
  const count = Number(typed)
  if (Number.isInteger(count) && count > 0) return count
  throw new CliError('cli/usage', `--limit ${typed} is not a number above zero.`, {
    fix: 'Write it like --limit 100.',
  })
}
