/** One thing that doctor looks at. */
export interface DoctorCheck {
  readonly name: string
  /** MUST NOT change anything. What it throws counts as a bad finding. */
  run(signal: AbortSignal): Promise<Finding>
}

/** What was seen. `warn` and `bad` say what to do about it. */
export type Finding =
  | { readonly verdict: 'ok'; readonly seen: string }
  | { readonly verdict: 'warn' | 'bad'; readonly seen: string; readonly fix: string }
