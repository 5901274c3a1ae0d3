import { z } from 'zod'
import { nearestName } from '../kernel/index.ts'
import { ConfigError } from './errors.ts'
import { CONFIG_PARTS } from './parts.ts'

/** One option of one part, as `<part>.<option>`. */
export interface Setting {
  readonly key: string
  readonly part: string
  readonly option: string
  readonly description: string
  /** As an operator would write it; `undefined` where there is none. */
  readonly defaultValue: unknown
  readonly schema: z.core.$ZodType
}

const PARTS: Readonly<Record<string, z.ZodObject>> = CONFIG_PARTS

/** All there is to set, in the order of the table of parts. */
export function listSettings(): readonly Setting[] {
  return Object.entries(PARTS).flatMap(([part, options]) =>
    Object.entries(options.shape).map(([option, schema]) => ({
      key: `${part}.${option}`,
      part,
      option,
      description: z.globalRegistry.get(schema)?.description ?? '',
      defaultValue: defaultOf(schema),
      schema,
    })),
  )
}

/** The setting with this key. Throws 'config/unknown-key' with the nearest one. */
export function settingNamed(key: string, from: string): Setting {
  const settings = listSettings()
  const found = settings.find((setting) => setting.key === key)
  if (found) return found
  const nearest = nearestName(
    key,
    settings.map((setting) => setting.key),
  )
  throw unknownKey({ typed: key, from, nearest })
}

/** Says that nobody knows this name, and which one was probably meant. */
export function unknownKey({
  typed,
  from,
  nearest,
}: {
  readonly typed: string
  readonly from: string
  readonly nearest: string | undefined
}): ConfigError {
  return new ConfigError('config/unknown-key', `There is no setting ${typed} (${from}).`, {
    fix: nearest
      ? `Did you mean ${nearest}? Correct or remove it.`
      : 'Remove it; `postern config explain` lists all settings.',
  })
}

/** Is this a setting that is either on or off, so that its flag needs no value? */
export function isSwitch(key: string): boolean {
  const setting = listSettings().find((each) => each.key === key)
  if (!setting) return false
  const accepts = (value: unknown): boolean => z.safeParse(setting.schema, value).success
  return accepts(true) && !accepts('neither on nor off')
}

function defaultOf(schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return schema.def.defaultValue
  }
  if (schema instanceof z.ZodPipe) return defaultOf(schema.def.in)
  if (schema instanceof z.ZodOptional) return defaultOf(schema.def.innerType)
  return undefined
}
