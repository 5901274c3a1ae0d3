/**
 * config: collects the options that each part declares (`<part>/options.ts`) from defaults, file,
 * environment and flags, and can say where each value came from. It knows no option by itself.
 */
export type { EnvironmentVariables } from './environment.ts'
export { type ExplainedSetting, explainConfig } from './explain.ts'
export { type ConfigSources, type LoadedConfig, loadConfig, readEnvironment } from './load.ts'
export type { Config } from './parts.ts'
export { isSwitch, listSettings } from './settings.ts'
