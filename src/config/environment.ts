import { nearestName } from '../kernel/index.ts'
import type { GivenValue } from './given.ts'
import { listSettings, unknownKey } from './settings.ts'

/** The environment of the process. Only `config/load.ts` reaches the real one. */
export interface EnvironmentVariables {
  names(): readonly string[]
  read(name: string): string | undefined
  /** Reads a variable and removes it, so that no child and no report ever shows it. */
  take(name: string): string | undefined
}

const PREFIX = 'POSTERN_'
/** Where the command line finds its server: no settings of the server itself. */
const CLIENT_VARIABLES: ReadonlySet<string> = new Set(['POSTERN_API_URL', 'POSTERN_API_KEY'])

/**
 * The settings among the environment's variables; an empty variable counts as none. `named` are
 * variables that settings refer to (`env:NAME`). Throws 'config/unknown-key' for any other POSTERN_….
 */
export function valuesFromEnvironment(
  environment: Pick<EnvironmentVariables, 'names' | 'read'>,
  named: ReadonlySet<string>,
): readonly GivenValue[] {
  const keys = keysByVariable()
  const values: GivenValue[] = []
  for (const name of environment.names()) {
    if (!name.startsWith(PREFIX) || CLIENT_VARIABLES.has(name) || named.has(name)) continue
    const key = keys.get(name)
    if (key === undefined) {
      const nearest = nearestName(name, keys.keys())
      throw unknownKey({ typed: name, from: `environment ${name}`, nearest })
    }
    const value = environment.read(name)
    if (value) values.push({ key, value, origin: { kind: 'environment', name } })
  }
  return values
}

/** `edge.httpPolicy` is POSTERN_EDGE_HTTP_POLICY, and POSTERN_EDGE_HTTPPOLICY too. */
function keysByVariable(): ReadonlyMap<string, string> {
  const keys = new Map<string, string>()
  for (const { key, part, option } of listSettings()) {
    const words = option.replace(/[A-Z]/g, (letter) => `_${letter}`)
    keys.set(`${PREFIX}${part}_${words}`.toUpperCase(), key)
    keys.set(`${PREFIX}${part}_${option}`.toUpperCase(), key)
  }
  return keys
}
