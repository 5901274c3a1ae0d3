import {
  AggregatorRegistry,
  Counter,
  Gauge,
  Histogram,
  openMetricsContentType,
  Registry,
  type RegistryContentType,
} from 'prom-client'
import { createDurations, type Durations, type Exemplar, type HistogramJson } from './durations.ts'
import { createTallies, type Tallies } from './tally.ts'

/** The numbers of one process. Names get the prefix `postern_`. */
export interface Metrics {
  counter<Label extends string>(spec: MetricSpec<Label>): Counter<Label>
  gauge<Label extends string>(spec: MetricSpec<Label>): Gauge<Label>
  histogram<Label extends string>(
    spec: MetricSpec<Label>,
    bucketsSeconds: number[],
  ): Histogram<Label>
  /** A counter for the hot path. */
  tallies<Label extends string>(spec: MetricSpec<Label>): Tallies<Label>
  /** A histogram for the hot path, with exemplars. */
  durations(spec: MetricSpec<never>, bucketsSeconds: readonly number[]): Durations
  /** This process's numbers, in a form that can be sent to another process and added up there. */
  snapshot(): Promise<MetricsSnapshot>
}

export interface MetricSpec<Label extends string> {
  /** Without prefix, with unit last: `orders_total`, `handshake_seconds`. */
  readonly name: string
  readonly help: string
  readonly labels?: readonly Label[]
}

/** Opaque: made by `snapshot`, read by `renderMetrics`. */
export type MetricsSnapshot = readonly object[]

/** What a scraper asked for: only OpenMetrics knows exemplars. */
export type MetricsFormat = 'prometheus' | 'openmetrics'

export function createMetrics(): Metrics {
  const registry = new Registry()
  const histograms: (() => HistogramJson)[] = []
  return {
    counter: (spec) => new Counter(toConfiguration(spec, registry)),
    gauge: (spec) => new Gauge(toConfiguration(spec, registry)),
    histogram: (spec, buckets) => new Histogram({ ...toConfiguration(spec, registry), buckets }),
    tallies: (spec) => {
      const { tallies, flushInto } = createTallies<(typeof spec)['name']>()
      const counter = new Counter({
        ...toConfiguration(spec, registry),
        collect() {
          flushInto(this)
        },
      })
      registry.registerMetric(counter)
      return tallies
    },
    durations: (spec, buckets) => {
      const { name, help } = toConfiguration(spec, registry)
      const { durations, read } = createDurations({ name, help }, buckets)
      histograms.push(read)
      return durations
    },
    snapshot: async () => [
      ...(await registry.getMetricsAsJSON()),
      ...histograms.map((read) => read()),
    ],
  }
}

/** Adds up the snapshots of all processes and writes Prometheus' text format, or OpenMetrics'. */
export async function renderMetrics(
  snapshots: readonly MetricsSnapshot[],
  format: MetricsFormat = 'prometheus',
): Promise<{ readonly contentType: string; readonly text: string }> {
  const sum = AggregatorRegistry.aggregate<RegistryContentType>(
    snapshots.map((snapshot) => [...snapshot]),
  )
  if (format === 'openmetrics') {
    sum.setContentType(openMetricsContentType)
    await bringExemplars(sum, snapshots)
  }
  return { contentType: sum.contentType, text: await sum.metrics() }
}

/** Adding up loses exemplars: of each bucket, that of the last process that has one is put back. */
async function bringExemplars(
  sum: Registry<RegistryContentType>,
  snapshots: readonly MetricsSnapshot[],
): Promise<void> {
  const exemplars = new Map<string, Exemplar>()
  for (const metric of snapshots.flat()) {
    for (const value of valuesOf(metric)) {
      if (value.exemplar) exemplars.set(keyOf(value), value.exemplar)
    }
  }
  for (const metric of await sum.getMetricsAsJSON()) {
    for (const value of valuesOf(metric)) {
      const exemplar = exemplars.get(keyOf(value))
      if (exemplar) Object.assign(value, { exemplar })
    }
  }
}

interface SnapshotValue {
  readonly metricName?: string
  readonly labels: object
  readonly exemplar?: Exemplar
}

/** Snapshots come from processes of this very version: their form is not checked again. */
function valuesOf(metric: object): readonly SnapshotValue[] {
  return 'values' in metric && Array.isArray(metric.values) ? metric.values : []
}

function keyOf({ metricName, labels }: SnapshotValue): string {
  return JSON.stringify([metricName, labels])
}

function toConfiguration<Label extends string>(spec: MetricSpec<Label>, registry: Registry) {
  return {
    name: `postern_${spec.name}`,
    help: spec.help,
    labelNames: [...(spec.labels ?? [])],
    registers: [registry],
  }
}
