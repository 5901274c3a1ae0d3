import { type Command, Option } from 'commander'
import {
  certificateSchema,
  REVOCATION_REASONS,
  type WireRevocationReason,
} from '../../api/native/contract.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { CliError } from '../errors.ts'
import { confirm } from '../input.ts'
import { certificateToText } from './certificate-text.ts'

interface RevokeOptions extends CommonOptions {
  readonly reason: WireRevocationReason
  readonly yes?: true
}

/** `cert revoke`: what cannot be taken back is asked for twice. */
export function registerCertificateRevoke(cert: Command, context: CommandContext): void {
  const reasons = new Option('--reason <reason>', 'why').choices(REVOCATION_REASONS)
  withServerOptions(cert.command('revoke'))
    .description('Has the CA revoke a certificate; one in use is replaced at once.')
    .argument('<id>')
    .addOption(reasons.makeOptionMandatory())
    .option('--yes', 'do not ask')
    .action(async (id: string, _options, command: Command) => {
      const { ports, terminal } = context
      const options = command.optsWithGlobals<RevokeOptions>()
      const client = await clientOf(context, options)
      const path = `/certificates/${encodeURIComponent(id)}`
      const { host, serial } = await client.call({ path, answer: certificateSchema })
      const question = `Revoke certificate ${serial} of ${host}? Clients will refuse it.`
      const asking = { stdin: ports.stdin, note: terminal.note, signal: ports.signal }
      if (!options.yes && !(await confirm(question, asking))) throw notMeant()
      const body = { reason: options.reason }
      const revoked = await terminal.progress(
        () => `Revoking ${serial}`,
        () =>
          client.call({
            method: 'POST',
            path: `${path}/revoke`,
            body,
            answer: certificateSchema,
          }),
      )
      printResult(context, options, {
        data: revoked,
        text: () => certificateToText(revoked, ports.clock.now()),
      })
    })
}

function notMeant(): CliError {
  return new CliError('cli/interrupted', 'Nothing was revoked.')
}
