import type { Command } from 'commander'
import { hostSchema } from '../../api/native/contract.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
} from '../command-context.ts'
import { CliError } from '../errors.ts'
import { readNamedFile, readPassword } from '../input.ts'
import { hostToText } from './host-text.ts'

/** As large as the server takes them. */
const PEM_BYTES_MAX = 64 * 1024
const PKCS12_BYTES_MAX = 96 * 1024

interface ImportOptions extends CommonOptions {
  readonly cert?: string
  readonly apiKey?: string
  readonly pkcs12?: string
  readonly passwordFile?: string
  readonly takeOver?: true
}

/**
 * `cert import`: the customer's own certificate, from PEM or PKCS#12. Here `--key` is the private
 * key, as everywhere where there is a `--cert`; the API's own is `--api-key`.
 */
export function registerCertificateImport(cert: Command, context: CommandContext): void {
  cert
    .command('import')
    .description("Serves the customer's own certificate for a host, once it is checked.")
    .argument('<host>')
    .option('--cert <file>', 'the chain in PEM, the certificate of the host first')
    .option('--key <file>', 'its private key in PEM')
    .option('--pkcs12 <file>', 'chain and key as one PKCS#12 file (.pfx, .p12)')
    .option('--password-file <file>', 'its first line opens the PKCS#12 file; - for standard input')
    .option('--take-over', 'have our CA take over when it ends, if nobody brings another')
    .option('--url <url>', 'the server, by default the one on this machine (POSTERN_API_URL)')
    .option(
      '--api-key <key>',
      'its API key; better in POSTERN_API_KEY, where `ps` does not show it',
    )
    .action(async (host: string, _options, command: Command) => {
      const options = command.optsWithGlobals<ImportOptions>()
      const upload = await readUpload(context, options)
      const client = await clientOf(context, { ...options, key: options.apiKey })
      const path = `/hosts/${encodeURIComponent(host)}/certificate`
      const body = { ...upload, takeOver: options.takeOver ?? false }
      const now = await context.terminal.progress(
        () => `Checking the certificate for ${host}`,
        () => client.call({ method: 'PUT', path, body, answer: hostSchema }),
      )
      printResult(context, options, {
        data: now,
        text: () => hostToText(now, context.ports.clock.now()),
      })
    })
}

type Upload =
  | { readonly certificate: string; readonly key: string }
  | { readonly pkcs12: string; readonly password: string }

async function readUpload(context: CommandContext, options: ImportOptions): Promise<Upload> {
  const { cert, key, pkcs12, passwordFile } = options
  if (pkcs12 !== undefined && cert === undefined && key === undefined) {
    const file = await readNamedFile(pkcs12, PKCS12_BYTES_MAX)
    const { ports, terminal } = context
    const password = await readPassword(
      { file: passwordFile, question: `Password of ${pkcs12}: ` },
      { stdin: ports.stdin, note: terminal.note, signal: ports.signal },
    )
    return { pkcs12: file.toString('base64'), password }
  }
  if (pkcs12 === undefined && cert !== undefined && key !== undefined) {
    const chain = await readNamedFile(cert, PEM_BYTES_MAX)
    const privateKey = await readNamedFile(key, PEM_BYTES_MAX)
    return { certificate: chain.toString('utf8'), key: privateKey.toString('utf8') }
  }
  throw new CliError('cli/usage', 'It must be clear what to import.', {
    fix: 'Give --cert FILE and --key FILE, or --pkcs12 FILE.',
  })
}
