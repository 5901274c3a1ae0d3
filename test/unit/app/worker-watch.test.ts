import { expect, it } from 'vitest'
import { createWorkerCounts } from '../../../src/app/fleet/worker-counts.ts'
import { watchWorker } from '../../../src/app/fleet/worker-watch.ts'
import { seconds } from '../../../src/kernel/index.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const never = new Promise<never>(() => undefined)

/** A worker that answers each poll as told, and then no more. */
function watch(answers: readonly (Promise<[]> | 'fails')[]) {
  const clock = createFakeClock()
  const stopping = new AbortController()
  const seen = { polls: 0, answers: 0, stuck: 0 }
  const metrics = async (): Promise<[]> => {
    const answer = answers[seen.polls++] ?? never
    if (answer === 'fails') throw new Error('cannot say')
    return answer
  }
  const watching = watchWorker(
    { metrics },
    {
      clock,
      onAnswer: () => {
        seen.answers += 1
      },
      onStuck: () => {
        seen.stuck += 1
      },
    },
    stopping.signal,
  )
  return { clock, seen, stopping, watching }
}

it('takes a worker for stuck that leaves three questions in a row unanswered', async () => {
  const ok = Promise.resolve<[]>([])
  const { clock, seen, watching } = watch([ok, never, never, ok, never, 'fails'])
  await clock.advance(seconds(60))
  expect(seen).toMatchObject({ answers: 2, stuck: 0 })
  await clock.advance(seconds(60))
  await watching
  expect(seen).toEqual({ polls: 9, answers: 2, stuck: 1 })
  expect(clock.sleepers).toBe(0)
})

it('ends at once when it is told to', async () => {
  const { clock, seen, stopping, watching } = watch([])
  await clock.advance(seconds(6))
  stopping.abort()
  await watching
  expect(seen).toEqual({ polls: 1, answers: 0, stuck: 0 })
  expect(clock.sleepers).toBe(0)
})

it('counts no worker twice whose answer arrives after its death', async () => {
  const counts = createWorkerCounts<object>()
  const worker = {}
  const snapshot = [{ name: 'a_total', help: 'h', type: 'counter', values: [] }]
  counts.note(worker, snapshot)
  counts.bury(worker)
  counts.note(worker, snapshot)
  expect(counts.all()).toHaveLength(1)
})
