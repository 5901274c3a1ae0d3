import { resolve } from 'node:path'
import { z } from 'zod'
import { type EnvironmentVariables, valuesFromEnvironment } from './environment.ts'
import { ConfigError } from './errors.ts'
import { describeOrigin, type GivenValue, type Origin } from './given.ts'
import { showable } from './hidden.ts'
import { CONFIG_PARTS, type Config } from './parts.ts'
import { listSettings, type Setting, settingNamed } from './settings.ts'
import { readYamlFile } from './yaml-file.ts'

/** Where configuration may come from besides its defaults. Later ones win: file, environment, flags. */
export interface ConfigSources {
  /** `--config FILE`; without it `postern.yaml` in `cwd`, if there is one. */
  readonly file?: string | undefined
  readonly cwd: string
  readonly environment: Pick<EnvironmentVariables, 'names' | 'read'>
  /** `--<part>.<option> VALUE`, by key. */
  readonly flags: ReadonlyMap<string, string>
}

/** The configuration, and for each setting what was given and where. */
export interface LoadedConfig {
  readonly config: Config
  readonly settings: readonly LoadedSetting[]
}

export interface LoadedSetting {
  readonly setting: Setting
  /** As given, or the default; `undefined` if neither. May be secret: show it with `showable`. */
  readonly value: unknown
  readonly origin: Origin
}

/** This process's environment. */
export function readEnvironment(): EnvironmentVariables {
  return {
    names: () => Object.keys(process.env),
    read: (name) => process.env[name],
    take: (name) => {
      const value = process.env[name]
      delete process.env[name]
      return value
    },
  }
}

/**
 * Collects the options of all parts from defaults, file, environment and flags, and checks them.
 * Throws ConfigError: what is wrong, where it was written, and how to mend it.
 */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const file = byKey(await valuesFromFile(sources))
  const flags = byKey(valuesFromFlags(sources.flags))
  const named = variablesNamedBy([...file.values(), ...flags.values()], sources.environment)
  const environment = byKey(valuesFromEnvironment(sources.environment, named))
  const given = new Map([...file, ...environment, ...flags])

  const settings = listSettings().map((setting): LoadedSetting => {
    const winner = given.get(setting.key)
    return winner
      ? { setting, value: formAccepted(setting, winner.value), origin: winner.origin }
      : { setting, value: setting.defaultValue, origin: { kind: 'default' } }
  })
  return { config: parse(settings), settings }
}

async function valuesFromFile({ file, cwd }: ConfigSources): Promise<readonly GivenValue[]> {
  const path = file ?? 'postern.yaml'
  const values = await readYamlFile(resolve(cwd, path), path)
  if (values || file === undefined) return values ?? []
  throw new ConfigError('config/unreadable', `There is no configuration file ${file}.`, {
    fix: 'Correct --config, or leave it away to use ./postern.yaml.',
  })
}

function valuesFromFlags(flags: ReadonlyMap<string, string>): readonly GivenValue[] {
  return [...flags].map(([key, value]) => ({
    key,
    value,
    origin: { kind: 'flag', name: `--${key}` },
  }))
}

/** Values of one source by key. Checks that each key is a setting, and given once. */
function byKey(values: readonly GivenValue[]): ReadonlyMap<string, GivenValue> {
  const found = new Map<string, GivenValue>()
  for (const value of values) {
    const from = describeOrigin(value.origin)
    settingNamed(value.key, from)
    const earlier = found.get(value.key)
    if (earlier) {
      const where = `${describeOrigin(earlier.origin)} and ${from}`
      throw new ConfigError('config/given-twice', `${value.key} is given twice: ${where}.`, {
        fix: 'Remove one of the two.',
      })
    }
    found.set(value.key, value)
  }
  return found
}

/** Variables that hold a secret because a setting says so (`vault.key: env:NAME`). */
function variablesNamedBy(
  values: readonly GivenValue[],
  environment: ConfigSources['environment'],
): ReadonlySet<string> {
  const texts = [
    ...values.map(({ value }) => String(value)),
    ...environment.names().map((name) => environment.read(name) ?? ''),
  ]
  const references = texts.flatMap((text) => [...text.matchAll(/\benv:([A-Za-z_]\w*)/g)])
  return new Set(references.flatMap(([, name]) => name ?? []))
}

/**
 * The value in the form that its option accepts. Environment and flags only have text, and YAML
 * reads `8025` as a number and a list as a list, whatever the option wants.
 */
function formAccepted({ schema }: Setting, value: unknown): unknown {
  const forms = [value, ...otherForms(value)]
  return forms.find((form) => z.safeParse(schema, form).success) ?? value
}

function otherForms(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return [value.map(String).join(',')]
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)]
  if (typeof value !== 'string') return []
  const text = value.trim()
  if (/^-?\d+(\.\d+)?$/.test(text)) return [Number(text)]
  return text === 'true' || text === 'false' ? [text === 'true'] : []
}

const configSchema = z.strictObject(CONFIG_PARTS)

function parse(settings: readonly LoadedSetting[]): Config {
  const raw: Record<string, Record<string, unknown>> = {}
  for (const part of Object.keys(CONFIG_PARTS)) raw[part] = {}
  for (const { setting, value, origin } of settings) {
    const options = raw[setting.part]
    if (options && origin.kind !== 'default') options[setting.option] = value
  }
  const parsed = configSchema.safeParse(raw)
  if (parsed.success) return parsed.data
  throw badValue(parsed.error, settings)
}

function badValue(error: z.ZodError, settings: readonly LoadedSetting[]): ConfigError {
  const [issue] = error.issues
  const key = (issue?.path ?? []).slice(0, 2).map(String).join('.')
  const loaded = settings.find(({ setting }) => setting.key === key)
  const complaint = issue ? sentenceOf(issue) : 'not accepted'
  // The cause is left out: zod's issues may hold the value, and the value may be a secret.
  if (!loaded) {
    return new ConfigError('config/bad-value', `The settings of ${key} do not fit: ${complaint}.`, {
      fix: '`postern config explain` shows what is set, and where.',
    })
  }
  const { setting, value, origin } = loaded
  const where = describeOrigin(origin)
  return new ConfigError(
    'config/bad-value',
    `${key} is ${showable(key, value)} (${where}): ${complaint}.`,
    { fix: `Correct it there. ${key}: ${setting.description}.` },
  )
}

/** The complaint of the first alternative that says more than "Invalid input". */
function sentenceOf(issue: z.core.$ZodIssue): string {
  const nested = issue.code === 'invalid_union' ? issue.errors[0]?.[0] : undefined
  const text = nested ? sentenceOf(nested) : issue.message
  return text.replace(/\.$/, '').replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())
}
