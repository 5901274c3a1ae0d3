import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataDirectory } from '../../../src/store/index.ts'
import { storeOptions } from '../../../src/store/options.ts'
import { nameStore, parseStoreUrl } from '../../../src/store/store-url.ts'

describe('the address of the store', () => {
  it('is a SQLite file under certs-store by default', () => {
    const options = storeOptions.parse({})
    expect(parseStoreUrl(options.url)).toEqual({
      engine: 'sqlite',
      path: resolve('certs-store/data/postern.sqlite'),
    })
  })

  it.each([
    ['sqlite:/var/lib/postern/db.sqlite', '/var/lib/postern/db.sqlite'],
    ['sqlite:relative/db.sqlite', resolve('relative/db.sqlite')],
    ['sqlite:/with space/ä?.sqlite', '/with space/ä?.sqlite'],
  ])('reads %s', (url, path) => {
    expect(parseStoreUrl(url)).toEqual({ engine: 'sqlite', path })
  })

  it.each([
    'postgres://postern:s3cret@db.internal:6432/postern',
    'postgresql://postern:s3cret@db.internal:6432/postern?sslmode=verify-full',
  ])('names %s without user and password', (url) => {
    expect(nameStore(parseStoreUrl(url))).toBe('postgres://db.internal:6432/postern')
  })

  it.each(['', 'sqlite:', 'sqlite::memory:', 'sqlite:folder/', 'mysql://h/d', 'postgres://', '/x'])(
    'refuses %j with both forms that are right',
    (url) => {
      expect(() => parseStoreUrl(url)).toThrow(
        expect.objectContaining({
          code: 'store/bad-url',
          fix: expect.stringMatching(/sqlite:PATH.*postgres:\/\//),
        }),
      )
    },
  )

  it('decides where local files live', () => {
    expect(dataDirectory({ url: 'sqlite:/srv/postern/a.sqlite' })).toBe('/srv/postern')
    expect(dataDirectory({ url: 'postgres://h/d' })).toBe(resolve('certs-store/data'))
  })
})
