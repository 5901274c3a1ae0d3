/**
 * `npm run bench -- NAME… [--quick] [--json] [--part NAME]…`: measures the shipped program beside its peers on this
 * machine. Absolute times of a shared machine mean little: read the ratios, and compare runs.
 */
import { parseArgs } from 'node:util'
import { benchEdge } from './edge.ts'
import { benchIssuance } from './issuance.ts'
import { benchStart } from './start.ts'
import { type BenchOptions, type BenchReport, printFigures } from './support/figures.ts'
import { crowding, describeMachine } from './support/machine.ts'
import { printTable } from './support/tables.ts'

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<BenchReport>>> = {
  issuance: async (options) => ({ figures: await benchIssuance(options) }),
  start: async (options) => ({ figures: await benchStart(options) }),
  edge: benchEdge,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    part: { type: 'string', multiple: true },
  },
})
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES)
const options: BenchOptions = {
  quick: values.quick === true,
  wants: (part) => values.part === undefined || values.part.includes(part),
  say: (sentence) => process.stderr.write(`${sentence}\n`),
}

for (const name of names) {
  const bench = BENCHES[name]
  if (!bench) {
    options.say(`There is no benchmark "${name}". There are: ${Object.keys(BENCHES).join(', ')}.`)
    process.exitCode = 2
    continue
  }
  const machine = describeMachine()
  const before = await crowding()
  const { figures, tables = [], texts = [] } = await bench(options)
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ bench: name, machine, crowded: before !== '', figures, tables, texts })}\n`
      : `\n${machine}\n${before}${texts.join('')}${tables.map(printTable).join('')}${printFigures(name, figures)}`,
  )
}
