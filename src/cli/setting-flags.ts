import { isSwitch } from '../config/index.ts'
import { CliError } from './errors.ts'

/** Arguments in two heaps: `--<part>.<option>` with its value, and everything else. */
export interface SplitArguments {
  readonly settings: ReadonlyMap<string, string>
  readonly rest: readonly string[]
}

/**
 * Takes settings out of the arguments, wherever they stand: `--edge.http :8080`,
 * `--edge.http=:8080`, `--acme.agreeTerms`. Whether a setting exists is for config to say.
 */
export function takeSettingFlags(argv: readonly string[]): SplitArguments {
  const settings = new Map<string, string>()
  const rest: string[] = []
  const end = argv.indexOf('--')
  const own = end === -1 ? argv : argv.slice(0, end)
  for (let index = 0; index < own.length; index += 1) {
    const argument = own[index] ?? ''
    const match = /^--([A-Za-z]+\.[\w.]+)(?:=(.*))?$/s.exec(argument)
    const [, key = '', attached] = match ?? []
    if (!match) rest.push(argument)
    else if (attached !== undefined) settings.set(key, attached)
    else {
      const { value, isTaken } = valueAfter(key, own[index + 1])
      settings.set(key, value)
      if (isTaken) index += 1
    }
  }
  return { settings, rest: end === -1 ? rest : [...rest, ...argv.slice(end)] }
}

const ON_OR_OFF = /^(?:true|false|yes|no|on|off|1|0)$/i

function valueAfter(
  key: string,
  next: string | undefined,
): { readonly value: string; readonly isTaken: boolean } {
  if (isSwitch(key)) {
    const isTaken = next !== undefined && ON_OR_OFF.test(next)
    return { value: isTaken ? next : 'true', isTaken }
  }
  if (next === undefined || next.startsWith('--')) {
    throw new CliError('cli/usage', `--${key} needs a value.`, { fix: `Write --${key} VALUE.` })
  }
  return { value: next, isTaken: true }
}
