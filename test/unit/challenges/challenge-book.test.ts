import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createChallengeBook } from '../../../src/challenges/index.ts'
import { type Hostname, parseHostname } from '../../../src/kernel/index.ts'
import type { Store } from '../../../src/store/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const hostname = parseHostname('a.customer.test') as Hostname

/** A store that remembers what it was asked, and has an answer for everything. */
function anEagerStore() {
  const asked: string[] = []
  const hot: Pick<Store['hot'], 'keyAuthorization'> = {
    keyAuthorization: async (_, token) => {
      asked.push(token)
      return 'an answer'
    },
  }
  return { asked, store: { hot } as unknown as Pick<Store, 'db' | 'hot'> }
}

describe('a token from the outside', () => {
  it.each([
    '../../etc/passwd',
    '%2e%2e%2f',
    '..%5c',
    'a\0',
    '',
    'a/',
    '/a',
    'a.b',
    'ä',
    'a\n',
    'a'.repeat(129),
    'a'.repeat(10_000),
  ])('never reaches the store as %j', async (token) => {
    const { asked, store } = anEagerStore()
    const book = createChallengeBook({ store, clock: createFakeClock() })
    expect(await book.answer(hostname, token)).toBeUndefined()
    expect(asked).toEqual([])
  })

  it('reaches it only in the alphabet of RFC 8555', async () => {
    const { asked, store } = anEagerStore()
    const book = createChallengeBook({ store, clock: createFakeClock() })
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 140 }), async (token) => {
        await book.answer(hostname, token)
      }),
    )
    await book.answer(hostname, 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA')
    expect(asked.filter((token) => !/^[A-Za-z0-9_-]{1,128}$/.test(token))).toEqual([])
    expect(asked.length).toBeGreaterThan(0)
  })
})
