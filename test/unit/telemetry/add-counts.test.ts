import { expect, it } from 'vitest'
import { addCounts, createMetrics, renderMetrics } from '../../../src/telemetry/index.ts'

it('adds up what was counted by the dead, and forgets how it was with them', async () => {
  const one = createMetrics()
  const other = createMetrics()
  for (const [index, metrics] of [one, other].entries()) {
    const handshakes = metrics.tallies({ name: 'shakes_total', help: 'h', labels: ['result'] })
    handshakes.of({ result: 'full' }).add()
    if (index === 1) metrics.counter({ name: 'late_total', help: 'h' }).inc(4)
    metrics.gauge({ name: 'open', help: 'h' }).set(7)
    metrics.durations({ name: 'answer_seconds', help: 'h' }, [0.1, 1]).observe(0.5)
  }
  const dead = addCounts(addCounts([], await one.snapshot()), await other.snapshot())
  const { text } = await renderMetrics([dead, await one.snapshot()])
  for (const line of [
    'postern_shakes_total{result="full"} 3',
    'postern_late_total 4',
    'postern_open 7',
    'postern_answer_seconds_bucket{le="0.1"} 0',
    'postern_answer_seconds_bucket{le="+Inf"} 3',
    'postern_answer_seconds_count 3',
    'postern_answer_seconds_sum 1.5',
  ]) {
    expect(text).toContain(line)
  }
})
