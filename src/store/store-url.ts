import { resolve } from 'node:path'
import { StoreError } from './errors.ts'

/** Where a store is, by engine. */
export type StoreLocation =
  | { readonly engine: 'sqlite'; readonly path: string }
  | { readonly engine: 'postgres'; readonly url: URL }

/** Reads `sqlite:PATH` or `postgres://…`. Throws `store/bad-url`, never naming the password. */
export function parseStoreUrl(text: string): StoreLocation {
  if (text.startsWith('sqlite:')) {
    const path = text.slice('sqlite:'.length)
    // Two connections must see one database: a private one in memory cannot work.
    if (path !== '' && path !== ':memory:' && !path.endsWith('/')) {
      return { engine: 'sqlite', path: resolve(path) }
    }
  } else if (/^postgres(ql)?:/.test(text) && URL.canParse(text)) {
    const url = new URL(text)
    if (url.hostname !== '' || url.searchParams.has('host')) return { engine: 'postgres', url }
  }
  throw new StoreError('store/bad-url', 'store.url does not name a database.', {
    fix: 'Write sqlite:PATH/TO/postern.sqlite or postgres://USER:PASSWORD@HOST:5432/DATABASE.',
  })
}

/** A store's address as people may see it: without password. */
export function nameStore(location: StoreLocation): string {
  if (location.engine === 'sqlite') return location.path
  const { hostname, port, pathname } = location.url
  return `postgres://${hostname}${port === '' ? '' : `:${port}`}${pathname}`
}
