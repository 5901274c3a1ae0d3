import type { Config } from '../../config/index.ts'
import type { Environment } from '../app.ts'

/** One thing to look at. Changes nothing; what it throws is a bad finding with its own fix. */
export interface DoctorCheck {
  readonly name: string
  run(signal: AbortSignal): Promise<Finding>
}

/** What was seen, and what to do about it unless all is well. */
export type Finding =
  | { readonly verdict: 'ok'; readonly seen: string }
  | { readonly verdict: 'warn' | 'bad'; readonly seen: string; readonly fix: string }

/** What the checks are made from. */
export interface DoctorDeps extends Environment {
  readonly config: Config
}
