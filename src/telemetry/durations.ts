/** One observation that stands for its bucket, so that a slow one can be looked up in the log. */
export interface Exemplar {
  readonly labelSet: { readonly request_id: string }
  readonly value: number
  /** Unix time in seconds. */
  readonly timestamp: number
}

/** A histogram of seconds that costs an addition per observation. */
export interface Durations {
  observe(seconds: number): void
  /** Names the request of an observation; the latest of each bucket is kept. */
  exemplify(seconds: number, requestId: string, at: Date): void
}

/** A metric in the form that `prom-client` gives and takes between processes. */
export interface HistogramJson {
  readonly name: string
  readonly help: string
  readonly type: 'histogram'
  readonly aggregator: 'sum'
  readonly values: readonly HistogramValue[]
}

interface HistogramValue {
  readonly metricName: string
  readonly labels: { readonly le?: number | '+Inf' }
  readonly value: number
  readonly exemplar?: Exemplar
}

/** Makes one; `read` gives the numbers so far, in Prometheus' cumulative form. */
export function createDurations(
  { name, help }: { readonly name: string; readonly help: string },
  bucketsSeconds: readonly number[],
): { readonly durations: Durations; read(): HistogramJson } {
  const edges = [...bucketsSeconds, Number.POSITIVE_INFINITY]
  const counts = new Float64Array(edges.length)
  const exemplars: (Exemplar | undefined)[] = edges.map(() => undefined)
  let sum = 0

  const bucketOf = (seconds: number): number => {
    let bucket = 0
    while (seconds > (edges[bucket] ?? 0)) bucket += 1
    return bucket
  }
  const cumulative = (): HistogramValue[] => {
    let below = 0
    return edges.map((edge, index) => {
      below += counts[index] ?? 0
      const exemplar = exemplars[index]
      return {
        metricName: `${name}_bucket`,
        labels: { le: Number.isFinite(edge) ? edge : '+Inf' },
        value: below,
        ...(exemplar ? { exemplar } : {}),
      }
    })
  }
  return {
    durations: {
      observe: (seconds) => {
        const bucket = bucketOf(seconds)
        counts[bucket] = (counts[bucket] ?? 0) + 1
        sum += seconds
      },
      exemplify: (seconds, requestId, at) => {
        const timestamp = at.getTime() / 1000
        exemplars[bucketOf(seconds)] = {
          ...{ labelSet: { request_id: requestId }, value: seconds, timestamp },
        }
      },
    },
    read: () => {
      const buckets = cumulative()
      const total = buckets.at(-1)?.value ?? 0
      return {
        ...{ name, help, type: 'histogram', aggregator: 'sum' },
        values: [
          ...buckets,
          { metricName: `${name}_sum`, labels: {}, value: sum },
          { metricName: `${name}_count`, labels: {}, value: total },
        ],
      }
    },
  }
}
