import { AppError } from '../kernel/index.ts'

/** What can go wrong before or on the way to the server. */
export type CliErrorCode =
  | 'cli/usage'
  | 'cli/no-key'
  | 'cli/unreachable'
  | 'cli/not-postern'
  | 'cli/cannot-write'
  | 'cli/timeout'
  | 'cli/interrupted'

export class CliError extends AppError<CliErrorCode> {
  override readonly name = 'CliError'
}

/** What the server refused, with the server's own code, sentence and fix. */
export class RemoteError extends AppError {
  override readonly name = 'RemoteError'
}
