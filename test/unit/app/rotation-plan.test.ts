import { describe, expect, it } from 'vitest'
import {
  nodesLackKey,
  noKeyCanBeMade,
  planRotation,
  type RotationFacts,
} from '../../../src/app/key-rotation/rotation-plan.ts'

function facts(more: Partial<RotationFacts> = {}): RotationFacts {
  return {
    keyIds: ['new', 'old'],
    counts: new Map([
      ['new', 2],
      ['old', 5],
      ['lost', 100],
    ]),
    underWay: undefined,
    retireOld: false,
    nodesLackingTarget: [],
    mayMakeKey: true,
    ...more,
  }
}

const allMoved = new Map([['new', 7]])

describe('a rotation', () => {
  it.each<[string, Partial<RotationFacts>, object]>([
    ['moves what rests under other keys at hand', {}, { kind: 'move', secrets: 5 }],
    [
      'is followed when it is under way',
      { underWay: { id: 'r', toKeyId: 'new' } },
      { kind: 'follow', id: 'r' },
    ],
    [
      'goes on to the key that is first now',
      { underWay: { id: 'r', toKeyId: 'older' } },
      { kind: 'redirect', id: 'r', secrets: 5 },
    ],
    ['has nothing to do when all was moved', { counts: allMoved }, { kind: 'nothing-to-do' }],
    [
      'still takes away old keys when all was moved',
      { counts: allMoved, retireOld: true },
      { kind: 'move', secrets: 0 },
    ],
    [
      'waits for nodes that do not hold the key',
      { nodesLackingTarget: ['mx-2/77'] },
      { kind: 'nodes-lack-key', nodes: ['mx-2/77'] },
    ],
    [
      'makes a key when there is one alone, whatever rests under lost ones',
      { keyIds: ['new'] },
      { kind: 'make-key', secrets: 2, instead: undefined },
    ],
    [
      'makes a key in the place of one that never came to be',
      { keyIds: ['new'], underWay: { id: 'r', toKeyId: 'nowhere' } },
      { kind: 'make-key', secrets: 2, instead: 'nowhere' },
    ],
    [
      'cannot make a key where it cannot write one',
      { keyIds: ['new'], mayMakeKey: false },
      { kind: 'no-key-can-be-made' },
    ],
    [
      'of an empty database makes a key, too',
      { keyIds: ['new'], counts: new Map() },
      { kind: 'make-key', secrets: 0, instead: undefined },
    ],
  ])('%s', (_, more, plan) => {
    expect(planRotation(facts(more))).toEqual(plan)
  })
})

describe('a refusal', () => {
  it('names the nodes and the key', () => {
    expect(nodesLackKey(['mx-2/77'], 'abc').sentence).toMatch(
      /^Node mx-2\/77 does not hold key abc/,
    )
    expect(nodesLackKey(['a', 'b'], 'abc').sentence).toMatch(/^Nodes a, b do not hold/)
  })

  it('says how to bring a key by hand', () => {
    expect(noKeyCanBeMade('postgres', 'file:/k').fix).toMatch(/on every node.*send each SIGHUP/)
    expect(noKeyCanBeMade('sqlite', 'env:KEK')).toMatchObject({
      sentence: expect.stringMatching(/from env:KEK/),
      fix: expect.stringMatching(/restart where it is in env:/),
    })
  })
})
