import type { Command } from 'commander'
import {
  keyStatusSchema,
  rotatedKeysSchema,
  type WireKey,
  type WireKeyRotation,
  type WireKeyStatus,
  type WireRotatedKeys,
} from '../../api/native/contract.ts'
import type { ApiClient } from '../client/api-client.ts'
import {
  type CommandContext,
  type CommonOptions,
  clientOf,
  printResult,
  withServerOptions,
} from '../command-context.ts'
import { EXIT } from '../output/exit-code.ts'
import { printable } from '../output/printable.ts'
import { toCount, toProgressBar } from '../output/progress-bar.ts'
import { toTable } from '../output/table.ts'
import { followRotation } from './follow-rotation.ts'

/** `key status` and `key rotate` */
export function registerKeyCommands(program: Command, context: CommandContext): void {
  const key = program.command('key').description('The keys that everything secret is sealed with.')
  withServerOptions(key.command('status'))
    .description('Shows the master keys, how many secrets rest under each, and which are needed.')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const client = await clientOf(context, options)
      const status = await context.terminal.progress(
        () => 'Counting',
        () => client.call({ path: '/keys', answer: keyStatusSchema }),
      )
      printResult(context, options, { data: status, text: () => statusToText(status) })
    })
  withServerOptions(key.command('rotate'))
    .description('Moves all secrets to the first key of vault.key, or to a new one, online.')
    .option('--retire-old', 'then take away the old keys; backups made before still need them')
    .option('--no-wait', 'do not wait for the end')
    .addHelpText('after', ROTATE_HELP)
    .action((_options, command: Command) => rotate(context, command.optsWithGlobals()))
}

const ROTATE_HELP = `
If vault.key is one file with one key, and the store is SQLite, a new key is made and written into
that file, before the old one. Otherwise name the new key first in vault.key (on every node), send
SIGHUP, and rotate. It goes on in the server, even if this command or the server is killed.`

interface RotateOptions extends CommonOptions {
  readonly retireOld?: true
  readonly wait: boolean
}

async function rotate(context: CommandContext, options: RotateOptions): Promise<void> {
  const { terminal } = context
  const open = (): Promise<ApiClient> => clientOf(context, options)
  const rotated = await (await open()).call({
    ...{ method: 'POST', path: '/keys/rotate', answer: rotatedKeysSchema },
    body: { retireOld: options.retireOld ?? false },
  })
  const { outcome } = rotated
  const tell = (rotation: WireKeyRotation | null): void => {
    if (options.json) terminal.out(`${JSON.stringify({ outcome, rotation })}\n`)
  }
  if (outcome === 'nothing-to-do' || !rotated.rotation || !options.wait) {
    tell(rotated.rotation)
    if (!options.json) terminal.out(begunToText(rotated))
    return
  }
  const ended = await followRotation({ open, ports: context.ports, terminal, tell }, rotated)
  if (!options.json) terminal.out(endToText(ended))
  const { rotation } = ended
  if (rotation && (rotation.unreadable > 0 || rotation.problem !== null)) {
    context.finish(EXIT.failed)
  }
}

function statusToText({ keys, rotation }: WireKeyStatus): string {
  const rows = keys.map(({ keyId, use, secrets, source }) => [
    keyId,
    USE_IN_WORDS[use],
    toCount(secrets),
    source ?? 'not at hand',
  ])
  return toTable(['key', 'use', 'secrets', 'from'], rows) + rotationToText(rotation)
}

const USE_IN_WORDS = {
  seals: 'seals and opens',
  waits: 'opens; seals once all nodes hold it',
  opens: 'opens',
  idle: 'opens',
  retired: 'opens backups only',
  missing: 'MISSING: secrets need it',
} as const satisfies Record<WireKey['use'], string>

function rotationToText(rotation: WireKeyRotation | null): string {
  if (!rotation) return ''
  const { toKeyId, finishedAt, done, total, waitsFor } = rotation
  if (finishedAt !== null)
    return `\nLast rotation, to ${toKeyId}: ended ${finishedAt}.\n${troubleOf(rotation)}`
  const waits = waitsFor === null ? '' : `It waits: ${printable(waitsFor)}\n`
  return `\nRotation to ${toKeyId}: ${toProgressBar({ done, total })}\n${waits}`
}

function begunToText({ outcome, keys, rotation }: WireRotatedKeys): string {
  const current = keys.find(({ use }) => use === 'seals')?.keyId ?? ''
  if (outcome !== 'nothing-to-do') {
    return `Secrets move to key ${rotation?.toKeyId ?? current}. How far: postern key status\n`
  }
  return [
    `All secrets rest under key ${current} already.`,
    'For a new key, first take away the old ones: postern key rotate --retire-old\n',
  ].join('\n')
}

function endToText({ keys, rotation }: WireKeyStatus): string {
  if (!rotation) return ''
  const current = keys.find(({ keyId }) => keyId === rotation.toKeyId)
  const old = keys.filter(({ use }) => use === 'retired').map(({ keyId }) => keyId)
  return [
    `${secretsRest(current?.secrets ?? 0)} under key ${rotation.toKeyId} now.\n`,
    troubleOf(rotation),
    current?.source?.startsWith('file:')
      ? `Copy ${current.source.slice('file:'.length)} to where you keep the copy of the master key.\n`
      : '',
    old.length === 0 ? '' : `${old.join(', ')}: ${OLD_KEY_ADVICE}\n`,
  ].join('')
}

function secretsRest(count: number): string {
  return count === 1 ? '1 secret rests' : `${toCount(count)} secrets rest`
}

const OLD_KEY_ADVICE =
  'only backups made before need it. Keep a copy, and take it out of vault.key, or: postern key rotate --retire-old'

function troubleOf({ unreadable, problem }: WireKeyRotation): string {
  const left =
    unreadable === 0
      ? ''
      : `${toCount(unreadable)} secrets do not open with any key and stay as they are; the log names them.\n`
  return problem === null ? left : `${left}${printable(problem)}\n`
}
