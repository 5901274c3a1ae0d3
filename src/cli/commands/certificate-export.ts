import type { Command } from 'commander'
import { exportedCertificateSchema, exportedPkcs12Schema } from '../../api/native/contract.ts'
import type { ApiClient } from '../client/api-client.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { CliError } from '../errors.ts'
import { readPassword } from '../input.ts'
import { writeSecretFile } from './secret-file.ts'

interface ExportOptions extends CommonOptions {
  readonly out?: string
  readonly force?: true
  readonly pkcs12?: true
  readonly passwordFile?: string
}

/** `cert export`: chain and key, to be used elsewhere. */
export function registerCertificateExport(cert: Command, context: CommandContext): void {
  withServerOptions(cert.command('export'))
    .description('Writes chain and private key, as PEM or PKCS#12.')
    .argument('<host-or-id>')
    .option('-o, --out <file>', 'write there, readable by this user only, instead of printing')
    .option('--force', 'replace that file if it is there')
    .option('--pkcs12', 'as a PKCS#12 file (.pfx) under a password')
    .option('--password-file <file>', 'its first line is the password; - for standard input')
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<ExportOptions>()
      if (options.pkcs12) await exportPkcs12(context, options, name)
      else await exportPem(context, options, name)
    })
}

async function exportPem(
  context: CommandContext,
  options: ExportOptions,
  name: string,
): Promise<void> {
  const client = await clientOf(context, options)
  const path = `/certificates/${encodeURIComponent(name)}/export`
  const exported = await context.terminal.progress(
    () => `Exporting ${name}`,
    () => client.call({ path, answer: exportedCertificateSchema }),
  )
  const { certificate, pem } = exported
  if (options.out === undefined) {
    printResult(context, options, { data: exported, text: () => pem })
    return
  }
  await writeSecretFile(options.out, pem, { force: options.force ?? false })
  printWritten(context, options, { certificate, file: options.out })
}

async function exportPkcs12(
  context: CommandContext,
  options: ExportOptions,
  name: string,
): Promise<void> {
  const { out, json } = options
  // A file of bytes is nothing to show; as JSON it is base64.
  if (out === undefined && !json) {
    throw new CliError('cli/usage', 'A PKCS#12 file cannot be printed.', { fix: 'Add -o FILE.' })
  }
  const password = await passwordFor(context, options)
  const client = await clientOf(context, options)
  const exported = await requestPkcs12(context, client, { name, password })
  if (out === undefined) {
    printResult(context, options, { data: exported, text: () => '' })
    return
  }
  const file = Buffer.from(exported.pkcs12, 'base64')
  await writeSecretFile(out, file, { force: options.force ?? false })
  printWritten(context, options, { certificate: exported.certificate, file: out })
}

async function passwordFor(
  { ports, terminal }: CommandContext,
  { passwordFile }: ExportOptions,
): Promise<string> {
  const question = 'Password for the file: '
  const password = await readPassword(
    { file: passwordFile, question },
    { stdin: ports.stdin, note: terminal.note, signal: ports.signal },
  )
  if (password !== '') return password
  throw new CliError('cli/usage', 'The password is empty.', {
    fix: 'Choose one: whoever has the file and the password has the key.',
  })
}

function requestPkcs12(
  { terminal }: CommandContext,
  client: ApiClient,
  { name, password }: { readonly name: string; readonly password: string },
) {
  const path = `/certificates/${encodeURIComponent(name)}/export/pkcs12`
  return terminal.progress(
    () => `Exporting ${name}`,
    () => client.call({ method: 'POST', path, body: { password }, answer: exportedPkcs12Schema }),
  )
}

function printWritten(
  context: CommandContext,
  options: ExportOptions,
  data: { readonly certificate: { readonly host: string }; readonly file: string },
): void {
  printResult(context, options, {
    data,
    text: () => `Chain and key of ${data.certificate.host} are in ${data.file}.\n`,
  })
}
