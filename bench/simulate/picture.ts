import { type Hours, sumOf } from './meter.ts'
import { DAY_MS, HOUR_MS, type Scenario } from './scenario.ts'

// Three panels over the same days, drawn by hand: orders per hour, what is left of the CA's budget,
// and how many hosts wait. One point is the mean (the least, for the budget) of so many hours that
// about 800 points are left.

const WIDTH = 1_200
const [LEFT, RIGHT] = [78, 1_170]
const POINTS = 800
const COLOURS = {
  first: '#8ab6d6',
  renewal: '#3a7d44',
  urgent: '#d1495b',
  budget: '#6a4c93',
  queue: '#e09f3e',
  outage: '#f3d9d9',
} as const

interface Panel {
  readonly top: number
  readonly bottom: number
}

const LABELS_BOTTOM = 150
const ORDERS: Panel = { top: 165, bottom: 430 }
const BUDGET: Panel = { top: 475, bottom: 580 }
const QUEUE: Panel = { top: 625, bottom: 730 }

/** Draws a run as an SVG picture that needs nothing else. */
export function drawPicture({
  hours,
  scenario,
  title,
}: {
  readonly hours: Hours
  readonly scenario: Scenario
  readonly title: string
}): string {
  const { startMs, endMs } = scenario
  const days = (endMs - startMs) / DAY_MS
  const step = Math.max(1, Math.round((endMs - startMs) / HOUR_MS / POINTS))
  const first = meansOf(sumOf(hours, ['first']), step)
  const renewals = meansOf(sumOf(hours, ['renewal', 'idle']), step)
  const urgent = meansOf(sumOf(hours, ['expiring', 'replace-now']), step)
  const renewalsAndUrgent = addUp(renewals, urgent)
  const all = addUp(renewalsAndUrgent, first)
  const x = (atMs: number): number => LEFT + ((atMs - startMs) / (endMs - startMs)) * (RIGHT - LEFT)
  const panels = [
    ...panel('orders per hour', ORDERS, all, [
      { values: all, colour: COLOURS.first },
      { values: renewalsAndUrgent, colour: COLOURS.urgent },
      { values: renewals, colour: COLOURS.renewal },
    ]),
    ...panel('orders left at the CA (its account limit)', BUDGET, leastOf(hours.budgetLeft, step), [
      { values: leastOf(hours.budgetLeft, step), colour: COLOURS.budget },
    ]),
    ...panel('hosts waiting for the budget', QUEUE, meansOf(hours.queued, step), [
      { values: meansOf(hours.queued, step), colour: COLOURS.queue },
    ]),
  ]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} 780" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="780" fill="white"/>`,
    `<text x="${LEFT}" y="24" font-size="16">${escaped(title)}</text>`,
    ...legend(),
    ...scenario.outages.map(({ fromMs, toMs }) => band(x(fromMs), x(toMs))),
    ...panels,
    ...marks(scenario, x),
    ...dayAxis(days, (day) => x(startMs + day * DAY_MS)),
    '</svg>\n',
  ].join('\n')
}

interface Curve {
  readonly values: readonly number[]
  readonly colour: string
}

function panel(
  name: string,
  { top, bottom }: Panel,
  highest: readonly number[],
  curves: readonly Curve[],
): readonly string[] {
  const most = niceCeiling(Math.max(1, ...highest))
  const y = (value: number): number => bottom - (value / most) * (bottom - top)
  return [
    `<text x="${RIGHT}" y="${top - 8}" text-anchor="end" font-weight="bold">${escaped(name)}</text>`,
    ...curves.map(({ values, colour }) => area(values, { colour, y, bottom })),
    ...[0, 0.5, 1].flatMap((share) => [
      line([LEFT, y(share * most)], [RIGHT, y(share * most)], '#ccc'),
      `<text x="${LEFT - 6}" y="${round(y(share * most) + 4)}" text-anchor="end">${thousands(share * most)}</text>`,
    ]),
  ]
}

function area(
  values: readonly number[],
  {
    colour,
    y,
    bottom,
  }: {
    readonly colour: string
    readonly y: (value: number) => number
    readonly bottom: number
  },
): string {
  const width = (RIGHT - LEFT) / values.length
  const points = values.map(
    (value, index) => `${round(LEFT + (index + 0.5) * width)},${round(y(value))}`,
  )
  return `<polygon fill="${colour}" points="${LEFT},${bottom} ${points.join(' ')} ${RIGHT},${bottom}"/>`
}

/** What happened, as lines through all panels; names slanted so that neighbours do not overlap. */
function marks({ marks: all }: Scenario, x: (atMs: number) => number): readonly string[] {
  let lastX = Number.NEGATIVE_INFINITY
  return all.flatMap(({ atMs, title }) => {
    const at = x(atMs)
    const labelX = Math.max(at, lastX + LABEL_WIDTH)
    lastX = labelX
    return [
      line([at, ORDERS.top], [at, QUEUE.bottom], '#555', '3 3'),
      line([labelX, LABELS_BOTTOM], [at, ORDERS.top], '#555'),
      `<text transform="translate(${round(labelX + 3)} ${LABELS_BOTTOM - 2}) rotate(-32)" fill="#333">${escaped(title)}</text>`,
    ]
  })
}

/** Of a slanted line of text. */
const LABEL_WIDTH = 26

function dayAxis(days: number, x: (day: number) => number): readonly string[] {
  const step = days > 200 ? 50 : 10
  const ticks: string[] = []
  for (let day = 0; day <= days; day += step) {
    ticks.push(
      line([x(day), QUEUE.bottom], [x(day), QUEUE.bottom + 6], '#555'),
      `<text x="${round(x(day))}" y="${QUEUE.bottom + 20}" text-anchor="middle">day ${day}</text>`,
    )
  }
  return ticks
}

function legend(): readonly string[] {
  const entries = [
    ['first certificates', COLOURS.first],
    ['ending soon, or to be replaced now', COLOURS.urgent],
    ['renewals', COLOURS.renewal],
    ['the CA is down', COLOURS.outage],
  ] as const
  return entries.flatMap(([name, colour], index) => {
    const at = LEFT + index * 245
    return [
      `<rect x="${at}" y="36" width="12" height="12" fill="${colour}"/>`,
      `<text x="${at + 18}" y="46">${name}</text>`,
    ]
  })
}

function band(from: number, to: number): string {
  return `<rect x="${round(from)}" y="${ORDERS.top}" width="${round(to - from)}" height="${QUEUE.bottom - ORDERS.top}" fill="${COLOURS.outage}"/>`
}

function line(
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
  colour: string,
  dashes = 'none',
): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}" stroke-dasharray="${dashes}"/>`
}

function meansOf(series: Float64Array | Uint32Array, step: number): readonly number[] {
  return blocksOf(series, step, (block) => block.reduce((a, b) => a + b, 0) / block.length)
}

/** Without a limit there is nothing to draw. */
function leastOf(series: Float32Array, step: number): readonly number[] {
  return blocksOf(series, step, (block) => {
    const least = Math.min(...block)
    return Number.isFinite(least) ? least : 0
  })
}

function blocksOf(
  series: Float64Array | Float32Array | Uint32Array,
  step: number,
  toValue: (block: readonly number[]) => number,
): readonly number[] {
  const values: number[] = []
  for (let from = 0; from < series.length; from += step) {
    values.push(toValue([...series.subarray(from, from + step)]))
  }
  return values
}

function addUp(one: readonly number[], other: readonly number[]): readonly number[] {
  return one.map((value, index) => value + (other[index] ?? 0))
}

/** 1, 2 or 5 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= value) ?? 10
  return factor * power
}

function thousands(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 1 })
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
