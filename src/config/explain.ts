import { describeOrigin } from './given.ts'
import { showable } from './hidden.ts'
import type { LoadedSetting } from './load.ts'

/** One setting as `postern config explain` shows it. */
export interface ExplainedSetting {
  readonly key: string
  /** With secrets hidden; `null` where nothing is set. */
  readonly value: string | null
  readonly source: string
  readonly description: string
}

/** Every setting, its value with secrets hidden, and where that value came from. */
export function explainConfig(settings: readonly LoadedSetting[]): readonly ExplainedSetting[] {
  return settings.map(({ setting, value, origin }) => ({
    key: setting.key,
    value: value === undefined ? null : showable(setting.key, value),
    source: describeOrigin(origin),
    description: setting.description,
  }))
}
