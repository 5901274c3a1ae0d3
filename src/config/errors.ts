import { AppError } from '../kernel/index.ts'

/** What can be wrong with the configuration. All of it is the operator's to mend, before a start. */
export type ConfigErrorCode =
  | 'config/unknown-key' // the message names the nearest one
  | 'config/bad-value'
  | 'config/given-twice'
  | 'config/unreadable'

export class ConfigError extends AppError<ConfigErrorCode> {
  override readonly name = 'ConfigError'
}
