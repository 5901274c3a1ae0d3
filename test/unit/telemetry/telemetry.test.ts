import { describe, expect, it } from 'vitest'
import { Redacted } from '../../../src/kernel/index.ts'
import { createMetrics, openLog, renderMetrics } from '../../../src/telemetry/index.ts'

describe('the log', () => {
  const linesOf = (work: (log: ReturnType<typeof openLog>) => void, pretty = false) => {
    const lines: string[] = []
    work(
      openLog({ level: 'info', pretty }, { role: 'test' }, { write: (line) => lines.push(line) }),
    )
    return lines
  }

  it('writes one line of JSON per event, whatever the fields hold', () => {
    const lines = linesOf((log) =>
      log.info('seen', {
        agent: '\r\n{"level":"fatal"}\u2028\u001b[31m',
        secret: new Redacted('x1'),
      }),
    )
    expect(lines).toHaveLength(1)
    for (const character of ['\r', '\n', '\u001b']) {
      expect(lines[0]?.trimEnd()).not.toContain(character)
    }
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'info',
      role: 'test',
      event: 'seen',
      secret: '[redacted]',
    })
  })

  it('shows what to do about an error, if it says so', () => {
    const coded = Object.assign(new Error('full'), { code: 'a/b', fix: 'Make room.' })
    const [line = ''] = linesOf((log) => log.error('failed', { error: coded }))
    expect(JSON.parse(line).error).toMatchObject({ code: 'a/b', fix: 'Make room.' })
  })

  it('shows the code and the cause of an error, and a stack only for a bug', () => {
    const coded = Object.assign(new Error('outer', { cause: new Error('inner') }), { code: 'a/b' })
    const [line = ''] = linesOf((log) => log.error('failed', { error: coded }))
    const { error } = JSON.parse(line)
    expect(error).toMatchObject({ code: 'a/b', message: 'outer', cause: { message: 'inner' } })
    expect(error.stack).toBeUndefined()
    expect(error.cause.stack).toContain('inner')
  })

  it('writes short lines for people, and obeys the level', () => {
    const lines = linesOf((log) => {
      log.debug('hidden')
      log.warn('shown', { count: 1 })
      log.setLevel('silent')
      log.error('hidden')
    }, true)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/warn {2}shown .*count=1/)
  })
})

describe('metrics', () => {
  it('add up over processes', async () => {
    const snapshots = await Promise.all(
      [1, 2].map(async (count) => {
        const metrics = createMetrics()
        metrics
          .counter({ name: 'hits_total', help: 'Hits', labels: ['kind'] })
          .inc({ kind: 'open' }, count)
        return metrics.snapshot()
      }),
    )
    const { text, contentType } = await renderMetrics(snapshots)
    expect(text).toContain('postern_hits_total{kind="open"} 3')
    expect(contentType).toContain('text/plain')
  })

  it('count on the hot path without labels being looked up, and add up like the others', async () => {
    const snapshots = await Promise.all(
      [1, 2].map(async () => {
        const metrics = createMetrics()
        const requests = metrics.tallies({ name: 'x_total', help: 'X', labels: ['class'] })
        requests.of({ class: '2xx' }).add()
        expect(requests.of({ class: '2xx' })).toBe(requests.of({ class: '2xx' }))
        await metrics.snapshot()
        requests.of({ class: '2xx' }).add()
        return metrics.snapshot()
      }),
    )
    const { text } = await renderMetrics(snapshots)
    expect(text).toContain('postern_x_total{class="2xx"} 4')
  })

  it('tell how long things took, and name a request beside each bucket to who reads OpenMetrics', async () => {
    const snapshots = await Promise.all(
      ['a1', 'b2'].map((id) => {
        const metrics = createMetrics()
        const durations = metrics.durations({ name: 'y_seconds', help: 'Y' }, [0.01, 1])
        durations.observe(0.005)
        durations.observe(0.5)
        durations.observe(7)
        durations.exemplify(7, id, new Date(1_700_000_000_500))
        return metrics.snapshot()
      }),
    )
    const plain = await renderMetrics(snapshots)
    for (const line of ['_bucket{le="0.01"} 2', '_bucket{le="1"} 4', '_bucket{le="+Inf"} 6']) {
      expect(plain.text).toContain(`postern_y_seconds${line}`)
    }
    expect(plain.text).toContain('postern_y_seconds_sum 15.01')
    expect(plain.text).toContain('postern_y_seconds_count 6')
    expect(plain.text).not.toContain('request_id')
    const open = await renderMetrics(snapshots, 'openmetrics')
    expect(open.contentType).toContain('application/openmetrics-text')
    expect(open.text).toMatch(
      /postern_y_seconds_bucket\{le="\+Inf"\} 6 # \{request_id="b2"\} 7 1700000000\.5\n/,
    )
    expect(open.text.endsWith('# EOF\n')).toBe(true)
  })
})
