/**
 * `npm run bench -- NAME… [--quick] [--json]`: measures the shipped program beside its peers on this
 * machine. Absolute times of a shared machine mean little: read the ratios, and compare runs.
 */
import { parseArgs } from 'node:util'
import { benchIssuance } from './issuance.ts'
import { benchStart } from './start.ts'
import { type BenchOptions, type Figure, printFigures } from './support/figures.ts'

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<readonly Figure[]>>> = {
  issuance: benchIssuance,
  start: benchStart,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, json: { type: 'boolean' } },
})
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES)
const options: BenchOptions = {
  quick: values.quick === true,
  say: (sentence) => process.stderr.write(`${sentence}\n`),
}

for (const name of names) {
  const bench = BENCHES[name]
  if (!bench) {
    options.say(`There is no benchmark "${name}". There are: ${Object.keys(BENCHES).join(', ')}.`)
    process.exitCode = 2
    continue
  }
  const figures = await bench(options)
  process.stdout.write(
    values.json ? `${JSON.stringify({ bench: name, figures })}\n` : printFigures(name, figures),
  )
}
