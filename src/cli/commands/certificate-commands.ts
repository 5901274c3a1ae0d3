import type { Command } from 'commander'
import {
  certificatePageSchema,
  certificateSchema,
  type WireCertificate,
} from '../../api/native/contract.ts'
import { after, type Clock, parseDuration } from '../../kernel/index.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { CliError } from '../errors.ts'
import { toDay } from '../output/instant.ts'
import { toTable } from '../output/table.ts'
import { registerCertificateExport } from './certificate-export.ts'
import { registerCertificateImport } from './certificate-import.ts'
import { registerCertificateRevoke } from './certificate-revoke.ts'
import { certificateToText } from './certificate-text.ts'
import { collectPages } from './collect-pages.ts'

/** `cert list`, `show`, `import`, `export`, `revoke` */
export function registerCertificateCommands(program: Command, context: CommandContext): void {
  const cert = program.command('cert').description('The certificates that we hold.')
  registerList(cert, context)
  registerShow(cert, context)
  registerCertificateImport(cert, context)
  registerCertificateExport(cert, context)
  registerCertificateRevoke(cert, context)
}

interface ListOptions extends CommonOptions {
  readonly expiringBefore?: string
  readonly limit: string
}

function registerList(cert: Command, context: CommandContext): void {
  withServerOptions(cert.command('list'))
    .description('Lists the certificates in use.')
    .option(
      '--expiring-before <when>',
      'only those that end before a day (2027-01-31) or span (30d)',
    )
    .option('--limit <count>', 'at most so many', '1000')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const client = await clientOf(context, options)
      const expiringBefore = instantOf(options.expiringBefore, context.ports.clock)
      const found = await collectPages(context, options, (page) =>
        client.call({
          path: '/certificates',
          query: { ...page, expiringBefore },
          answer: certificatePageSchema,
        }),
      )
      printResult(context, options, { data: found, text: () => listToText(found.items) })
    })
}

function instantOf(when: string | undefined, clock: Clock): string | undefined {
  if (when === undefined) return undefined
  const span = parseDuration(when)
  if (span !== undefined) return after(clock.now(), span).toISOString()
  const date = new Date(when)
  if (!Number.isNaN(date.getTime())) return date.toISOString()
  throw new CliError('cli/usage', `${when} is neither a day nor a span.`, {
    fix: 'Write it like 2027-01-31 or 30d.',
  })
}

function listToText(certificates: readonly WireCertificate[]): string {
  const rows = certificates.map((certificate) => [
    certificate.host,
    toDay(certificate.notAfter),
    toDay(certificate.renewAt),
    certificate.issuer,
    certificate.id,
  ])
  return toTable(['host', 'valid until', 'renewed on', 'issuer', 'id'], rows)
}

function registerShow(cert: Command, context: CommandContext): void {
  withServerOptions(cert.command('show'))
    .description('Shows one certificate.')
    .argument('<host-or-id>')
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const client = await clientOf(context, options)
      const path = `/certificates/${encodeURIComponent(name)}`
      const certificate = await client.call({ path, answer: certificateSchema })
      const now = context.ports.clock.now()
      printResult(context, options, {
        data: certificate,
        text: () => certificateToText(certificate, now),
      })
    })
}
