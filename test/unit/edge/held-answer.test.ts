import { describe, expect, it } from 'vitest'
import type { Answer, AnswerHead } from '../../../src/edge/request/answer.ts'
import { toHeaderLines } from '../../../src/edge/request/header-lines.ts'
import { HeldAnswer, type LetDown } from '../../../src/edge/rescue/held-answer.ts'
import { createPatience } from '../../../src/edge/rescue/patience.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const head = (status: number, length: AnswerHead['length'] = 'unknown'): AnswerHead => ({
  ...{ status, length, lines: toHeaderLines('') },
})

/** An answer that notes what is done to it, and takes more, or not. */
function anAnswer({ takesMore = true } = {}) {
  const done: string[] = []
  let drained: (() => void) | undefined
  const answer: Answer = {
    isOver: false,
    whenLeft: () => undefined,
    whenOver: () => undefined,
    send: ({ status }, body) => done.push(`send ${status} ${body.length}`),
    begin: ({ status }) => done.push(`begin ${status}`),
    write: (piece) => {
      done.push(`write ${piece.length}`)
      return takesMore
    },
    whenDrained: (more) => {
      drained = more
    },
    end: () => done.push('end'),
    breakOff: () => done.push('break off'),
  }
  return { answer, done, drain: () => drained?.() }
}

function hold(options?: Parameters<typeof anAnswer>[0]) {
  const under = anAnswer(options)
  const heard: (LetDown | 'went well')[] = []
  const held = new HeldAnswer(under.answer, {
    wentWell: () => heard.push('went well'),
    letDown: (how) => heard.push(how),
  })
  return { ...under, held, heard }
}

const OURS = { head: head(302, 0), body: Buffer.alloc(0) }
const piece = (size: number): Buffer => Buffer.alloc(size)

describe('an answer that is held', () => {
  it('goes on once it is whole, and not before', () => {
    const { held, done, heard } = hold()
    held.begin(head(200))
    held.write(piece(3))
    expect(done).toEqual([])
    held.end()
    expect(done).toEqual(['begin 200', 'write 3', 'end'])
    expect(heard).toEqual(['went well'])
  })

  it('goes on in one piece if it comes in one', () => {
    const { held, done } = hold()
    held.send(head(404, 2), piece(2))
    expect(done).toEqual(['send 404 2'])
  })

  it.each([
    { size: 70_000, length: 'unknown' },
    { size: 1, length: 100_000 },
  ] as const)('goes on when it is too long to be held: $length', ({ size, length }) => {
    const { held, done, heard } = hold()
    held.begin(head(200, length))
    held.write(piece(size))
    expect(done).toEqual(['begin 200', `write ${size}`])
    held.breakOff()
    expect(done.at(-1)).toBe('break off')
    expect(heard).toEqual(['went well'])
  })

  it.each([
    {
      how: 'error-answer',
      act: (held: HeldAnswer) => held.send(head(503, 4), piece(4)),
    },
    {
      how: 'cut-short',
      act: (held: HeldAnswer) => {
        held.begin(head(200, 100))
        held.write(piece(50))
        held.breakOff()
      },
    },
    { how: 'too-slow', act: (held: HeldAnswer) => held.expire() },
  ] as const)('is replaced, and what comes afterwards is dropped: $how', ({ how, act }) => {
    const { held, done, heard } = hold()
    act(held)
    expect(heard).toEqual([how])
    held.replace(OURS)
    held.send(head(200, 2), piece(2))
    held.expire()
    expect(done).toEqual(['send 302 0'])
    expect(held.isOver).toBe(true)
  })

  it('lets the backend go when it is replaced before its end, and says why', () => {
    const { held } = hold()
    const left: string[] = []
    held.whenLeft((why) => left.push(why))
    held.expire()
    held.replace(OURS)
    expect(left).toEqual(['too-slow'])
  })

  it('goes on as it came if it is no link of ours', () => {
    const { held, done } = hold()
    held.begin(head(200))
    held.write(piece(5))
    held.expire()
    held.write(piece(6))
    held.release()
    held.write(piece(7))
    held.end()
    expect(done).toEqual(['begin 200', 'write 5', 'write 6', 'write 7', 'end'])
  })

  it('is broken off where the backend broke it off, if it is no link of ours', () => {
    const { held, done } = hold()
    held.begin(head(200, 100))
    held.write(piece(50))
    held.breakOff()
    held.release()
    expect(done).toEqual(['begin 200', 'write 50', 'break off'])
  })

  it('has the backend wait for a visitor who reads slowly', () => {
    const { held, drain } = hold({ takesMore: false })
    held.begin(head(200))
    held.expire()
    expect(held.write(piece(70_000))).toBe(false)
    let more = 0
    held.whenDrained(() => {
      more += 1
    })
    held.release()
    expect(more).toBe(0)
    drain()
    expect(more).toBe(1)
  })
})

describe('patience', () => {
  it('ends for each when its time has come, and not for those who were answered', async () => {
    const clock = createFakeClock()
    const patience = createPatience(clock, 500)
    const overdue: string[] = []
    patience.await(() => overdue.push('a'))
    await clock.advance(300)
    const answered = patience.await(() => overdue.push('b'))
    patience.await(() => overdue.push('c'))
    answered()
    await clock.advance(200)
    expect(overdue).toEqual(['a'])
    await clock.advance(300)
    expect(overdue).toEqual(['a', 'c'])
    await clock.advance(500)
    expect(clock.sleepers).toBe(0)
  })
})
