import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** The numbers of one process. Names get the prefix `postern_`. */
export interface Metrics {
  counter<Label extends string>(spec: MetricSpec<Label>): Counter<Label>
  gauge<Label extends string>(spec: MetricSpec<Label>): Gauge<Label>
  histogram<Label extends string>(
    spec: MetricSpec<Label>,
    bucketsSeconds: number[],
  ): Histogram<Label>
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

export function createMetrics(): Metrics {
  const registry = new Registry()
  return {
    counter: (spec) => new Counter(toConfiguration(spec, registry)),
    gauge: (spec) => new Gauge(toConfiguration(spec, registry)),
    histogram: (spec, buckets) => new Histogram({ ...toConfiguration(spec, registry), buckets }),
    snapshot: () => registry.getMetricsAsJSON(),
  }
}

/** Adds up the snapshots of all processes and writes Prometheus' text format. */
export async function renderMetrics(
  snapshots: readonly MetricsSnapshot[],
): Promise<{ readonly contentType: string; readonly text: string }> {
  const sum = AggregatorRegistry.aggregate(snapshots.map((snapshot) => [...snapshot]))
  return { contentType: sum.contentType, text: await sum.metrics() }
}

function toConfiguration<Label extends string>(spec: MetricSpec<Label>, registry: Registry) {
  return {
    name: `postern_${spec.name}`,
    help: spec.help,
    labelNames: [...(spec.labels ?? [])],
    registers: [registry],
  }
}
