import { describe, expect, it } from 'vitest'
import { chooseSealingKey } from '../../../src/app/key-rotation/sealing-key-plan.ts'

const node = (...keyIds: string[]) => ({ keyIds })

describe('the key that seals', () => {
  it.each<[string, string, Parameters<typeof chooseSealingKey>[1]]>([
    ['is the first on a node alone', 'new', { others: [], known: ['old'] }],
    ['is the first once all nodes hold it', 'new', { others: [node('old', 'new')], known: [] }],
    [
      'is the old one while a node lacks the new one',
      'old',
      { others: [node('new', 'old'), node('old')], known: [] },
    ],
    [
      'is one that the database knows beside a node too old to say',
      'old',
      { others: [node()], known: ['old'] },
    ],
    ['is the first if nothing is known', 'new', { others: [node('other')], known: ['else'] }],
  ])('%s', (_, expected, facts) => {
    expect(chooseSealingKey(['new', 'old'], facts)).toBe(expected)
  })
})
