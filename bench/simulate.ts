/**
 * `npm run simulate -- [--hosts N] [--days N] [--json] …`: years of a fleet on a virtual clock. The
 * decisions are Postern's own, as the server takes them; customers, CAs and time are modelled.
 */
import { writeFile } from 'node:fs/promises'
import { simulate } from './simulate/engine.ts'
import { toFigures } from './simulate/figures.ts'
import { readCommandLine, USAGE } from './simulate/options.ts'
import { drawPicture } from './simulate/picture.ts'
import { describeRun, printReport, toReport } from './simulate/report.ts'

const say = (text: string): void => {
  process.stderr.write(text)
}

async function run(): Promise<void> {
  const options = readCommandLine(process.argv.slice(2))
  if (typeof options === 'string') {
    say(`${options}.\n\n${USAGE}`)
    process.exitCode = 2
    return
  }
  const startedMs = performance.now()
  const result = simulate(options, process.stderr.isTTY ? (day) => say(`\rday ${day} `) : undefined)
  const machine = {
    wallSeconds: Math.round(performance.now() - startedMs) / 1000,
    cpuSeconds: cpuSeconds(),
    peakRssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  }
  if (process.stderr.isTTY) say('\r')
  const report = toReport(options, toFigures(result), machine)
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : printReport(report))
  if (options.svgFile !== undefined) {
    const { meter, scenario } = result
    const picture = drawPicture({ hours: meter.hours, scenario, title: describeRun(options) })
    await writeFile(options.svgFile, picture)
    say(`The picture is in ${options.svgFile}\n`)
  }
  if (report.figures.aims.some(({ isMet }) => !isMet)) process.exitCode = 1
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return Math.round((user + system) / 1000) / 1000
}

await run()
