import type { MetricsSnapshot } from './metrics.ts'

/**
 * What both snapshots have counted, together: counters and histograms. Gauges are left out, because
 * they say how it is and not how often it was; so are exemplars, which age.
 */
export function addCounts(one: MetricsSnapshot, other: MetricsSnapshot): MetricsSnapshot {
  const byName = new Map<string, CountedMetric>()
  for (const metric of [...one, ...other].flatMap(toCounted)) {
    const before = byName.get(metric.name)
    byName.set(metric.name, before ? addValues(before, metric) : metric)
  }
  return [...byName.values()]
}

interface CountedMetric {
  readonly name: string
  readonly help: unknown
  readonly type: 'counter' | 'histogram'
  readonly aggregator: 'sum'
  readonly values: readonly CountedValue[]
}

interface CountedValue {
  readonly metricName?: string
  readonly labels: object
  readonly value: number
}

/** Snapshots come from processes of this very version: their values are not checked again. */
function toCounted(metric: object): readonly CountedMetric[] {
  if (!('type' in metric && 'name' in metric && 'help' in metric && 'values' in metric)) return []
  const { name, help, type, values } = metric
  if (typeof name !== 'string' || (type !== 'counter' && type !== 'histogram')) return []
  return [{ name, help, type, aggregator: 'sum', values: Array.isArray(values) ? values : [] }]
}

function addValues(one: CountedMetric, other: CountedMetric): CountedMetric {
  const byKey = new Map<string, CountedValue>()
  for (const { metricName, labels, value } of [...one.values, ...other.values]) {
    const key = JSON.stringify([metricName, Object.entries(labels).sort()])
    const named = metricName === undefined ? {} : { metricName }
    byKey.set(key, { ...named, labels, value: (byKey.get(key)?.value ?? 0) + value })
  }
  return { ...one, values: [...byKey.values()] }
}
