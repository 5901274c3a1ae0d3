import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createTogether } from '../../../src/edge/together.ts'

it('does for all of a turn what is to be done, in the order in which they came', async () => {
  const done: string[] = []
  const soon = createTogether((name: string) => done.push(name))
  soon('first')
  await Promise.resolve()
  soon('second')
  expect(done).toEqual([])
  await turn()
  expect(done).toEqual(['first', 'second'])
})

it('leaves those who come meanwhile to the next turn, so that nobody waits for them', async () => {
  const done: string[] = []
  const soon = createTogether((name: string) => {
    done.push(name)
    if (name.length < 3) soon(`${name}+`)
  })
  soon('a')
  soon('b')
  await turn()
  expect(done).toEqual(['a', 'b'])
  await turn()
  expect(done).toEqual(['a', 'b', 'a+', 'b+'])
})
