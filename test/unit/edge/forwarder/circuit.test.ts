import { describe, expect, it } from 'vitest'
import {
  admissionTo,
  afterFailure,
  type Circuit,
  CLOSED,
  whileTried,
} from '../../../../src/edge/forwarder/circuit.ts'

const open = (untilMs: number, pauseMs: number): Circuit => ({ kind: 'open', untilMs, pauseMs })
const failed = (failures: number): Circuit => ({ kind: 'closed', failures })

describe('a circuit', () => {
  it.each([
    ['nothing is known against it', CLOSED, 0, 'anybody'],
    ['it failed, but not often enough', failed(2), 0, 'anybody'],
    ['its pause is not over', open(1000, 1000), 999, 'nobody'],
    ['its pause is over', open(1000, 1000), 1000, 'one'],
  ] as const)('when %s', (_, circuit, nowMs, admission) => {
    expect(admissionTo(circuit, nowMs)).toBe(admission)
  })

  it.each([
    ['counts the first failure', CLOSED, 5, failed(1)],
    ['counts the second', failed(1), 5, failed(2)],
    ['opens with the third', failed(2), 5, open(1005, 1000)],
    ['learns nothing new from failures while it is open', open(9, 1), 5, open(9, 1)],
  ] as const)('%s', (_, circuit, nowMs, then) => {
    expect(afterFailure(circuit, nowMs)).toEqual(then)
  })

  it.each([
    ['doubles its pause as soon as somebody tries', open(5, 1000), 5, open(2005, 2000)],
    ['does not pause for ever', open(5, 30_000), 5, open(30_005, 30_000)],
    ['has no pause while it is closed', failed(2), 5, failed(2)],
  ] as const)('%s', (_, circuit, nowMs, then) => {
    expect(whileTried(circuit, nowMs)).toEqual(then)
  })
})
