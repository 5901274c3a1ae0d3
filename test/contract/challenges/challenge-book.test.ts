import { describe, expect, it } from 'vitest'
import { ChallengeError, createChallengeBook } from '../../../src/challenges/index.ts'
import { type Hostname, minutes, parseHostname } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { describeEachStore } from '../../support/stores.ts'

const host = (name: string): Hostname => parseHostname(name) as Hostname
const A = host('a.customer.test')
const B = host('b.customer.test')
const TOKEN = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA'
const ANSWER = `${TOKEN}.nP1qzpXGymHBrUEepNY9HCsQk7K8KhOypzEt62jcerQ`

describe('the challenge book', () => {
  describeEachStore((openTestStore) => {
    const setUp = async () => {
      const clock = createFakeClock()
      const store = await openTestStore()
      const book = createChallengeBook({ store, clock })
      return { clock, store, book, otherNode: createChallengeBook({ store, clock }) }
    }

    it('answers a token that is shown, on that host alone, on every node', async () => {
      const { book, otherNode } = await setUp()
      await book.show(A, TOKEN, ANSWER)
      expect(await otherNode.answer(A, TOKEN)).toBe(ANSWER)
      expect(await book.answer(B, TOKEN)).toBeUndefined()
      expect(await book.answer(A, TOKEN.toLowerCase())).toBeUndefined()
      expect(await book.answer(A, TOKEN.slice(0, -1))).toBeUndefined()
    })

    it('shows the latest answer when a token is shown again', async () => {
      const { book } = await setUp()
      await book.show(A, TOKEN, 'old')
      await book.show(A, TOKEN, ANSWER)
      expect(await book.answer(A, TOKEN)).toBe(ANSWER)
    })

    it('answers nothing on a host once withdrawn there; twice does no harm', async () => {
      const { book } = await setUp()
      await book.show(A, TOKEN, ANSWER)
      await book.show(A, 'another', ANSWER)
      await book.show(B, TOKEN, ANSWER)
      await book.withdraw(A)
      await book.withdraw(A)
      expect(await book.answer(A, TOKEN)).toBeUndefined()
      expect(await book.answer(A, 'another')).toBeUndefined()
      expect(await book.answer(B, TOKEN)).toBe(ANSWER)
    })

    it('withdraws in the transaction of its caller, or not at all', async () => {
      const { book, store } = await setUp()
      await book.show(A, TOKEN, ANSWER)
      const ending = store.transaction(async (trx) => {
        await book.withdraw(A, trx)
        throw new Error('the other half failed')
      })
      await expect(ending).rejects.toThrow('the other half failed')
      expect(await book.answer(A, TOKEN)).toBe(ANSWER)
    })

    it('answers no longer when its time is over, and then forgets', async () => {
      const { book, clock, store } = await setUp()
      await book.show(A, TOKEN, ANSWER, minutes(5))
      await book.show(B, TOKEN, ANSWER)
      await clock.advance(minutes(5) - 1)
      expect(await book.answer(A, TOKEN)).toBe(ANSWER)
      expect(await book.sweep()).toBe(0)
      await clock.advance(1)
      expect(await book.answer(A, TOKEN)).toBeUndefined()
      expect(await book.sweep()).toBe(1)
      const left = await store.db.selectFrom('challenges').select('hostname').execute()
      expect(left).toEqual([{ hostname: B }])
    })

    it('refuses to show what no CA would send', async () => {
      const { book } = await setUp()
      for (const token of ['', '../etc/passwd', 'a b', 'a'.repeat(129)]) {
        await expect(book.show(A, token, ANSWER)).rejects.toThrow(ChallengeError)
      }
      await expect(book.show(A, TOKEN, '<script>')).rejects.toMatchObject({
        code: 'challenges/bad-token',
      })
    })
  })
})
