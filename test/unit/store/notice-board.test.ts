import { describe, expect, it } from 'vitest'
import { createNoticeBoard } from '../../../src/store/notice-board.ts'
import type { Notice } from '../../../src/store/store.ts'
import { take } from '../../support/take.ts'

const aNotice = (n: number): Notice => ({ kind: 'host-changed', hostname: `h${n}.customer.test` })

describe('the notice board', () => {
  it('keeps what is posted between the call and the first reading', async () => {
    const board = createNoticeBoard()
    board.post(aNotice(0))
    const notices = board.read(new AbortController().signal)
    board.post(aNotice(1))
    board.post(aNotice(2))
    expect(await take(notices, 2)).toEqual([aNotice(1), aNotice(2)])
  })

  it('replaces what a slow reader has missed by one resync', async () => {
    const board = createNoticeBoard()
    const slow = board.read(new AbortController().signal)
    for (let n = 0; n < 1001; n += 1) board.post(aNotice(n))
    board.post(aNotice(1001))
    expect(await take(slow, 2)).toEqual([{ kind: 'resync' }, aNotice(1001)])
  })

  it('ends a reader that waits, when the signal says so', async () => {
    const board = createNoticeBoard()
    const leaving = new AbortController()
    const reading = Array.fromAsync(board.read(leaving.signal))
    board.post(aNotice(1))
    await new Promise((resolve) => setImmediate(resolve))
    leaving.abort()
    board.post(aNotice(2))
    expect(await reading).toEqual([aNotice(1)])
  })

  it('gives nothing to a reader whose signal was aborted before', async () => {
    const board = createNoticeBoard()
    const notices = board.read(AbortSignal.abort())
    board.post(aNotice(1))
    expect(await Array.fromAsync(notices)).toEqual([])
  })

  it('ends all readers when it is taken down', async () => {
    const board = createNoticeBoard()
    const reading = Array.fromAsync(board.read(new AbortController().signal))
    board[Symbol.dispose]()
    expect(await reading).toEqual([])
  })

  it('wakes a reader for each notice', async () => {
    const board = createNoticeBoard()
    const seen: Notice[] = []
    const reading = (async () => {
      for await (const notice of board.read(new AbortController().signal)) {
        seen.push(notice)
        if (seen.length < 5) board.post(aNotice(seen.length))
        else break
      }
    })()
    board.post(aNotice(0))
    await reading
    expect(seen).toEqual([0, 1, 2, 3, 4].map(aNotice))
  })
})
