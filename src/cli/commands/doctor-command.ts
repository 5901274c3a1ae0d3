import type { Command } from 'commander'
import {
  type CommandContext,
  type CommonOptions,
  configOf,
  printResult,
} from '../command-context.ts'
import { type Examined, examine } from '../doctor/examine.ts'
import { EXIT } from '../output/exit-code.ts'
import { printable } from '../output/printable.ts'

/** `doctor`: looks at this machine and its surroundings, and says what to mend. */
export function registerDoctorCommand(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description(
      'Checks ports, DNS, CAA, clock, keys, disk, CAs and budgets; exit code 1 if one is bad.',
    )
    .action(async (_options, command: Command) => {
      const { ports, terminal, finish } = context
      const options = command.optsWithGlobals<CommonOptions>()
      const { config } = await configOf(context, options)
      const findings = await terminal.progress(
        () => 'Looking at this machine, DNS and the CA',
        async () => examine(await ports.doctorChecks(config), ports.signal),
      )
      const isBad = findings.some(({ finding }) => finding.verdict === 'bad')
      printResult(context, options, {
        data: { ok: !isBad, checks: findings.map(({ name, finding }) => ({ name, ...finding })) },
        text: () => findings.map(findingToText).join(''),
      })
      finish(isBad ? EXIT.failed : EXIT.done)
    })
}

function findingToText({ name, finding }: Examined): string {
  const line = `${finding.verdict.padEnd(4)}  ${name}: ${printable(finding.seen)}\n`
  if (finding.verdict === 'ok') return line
  // A fix may be several records to publish, one per line.
  return `${line}${finding.fix.split('\n').map(fixLine).join('')}`
}

function fixLine(line: string): string {
  return `      ${printable(line)}\n`
}
