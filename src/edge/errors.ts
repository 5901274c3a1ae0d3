import { AppError } from '../kernel/index.ts'

/** What can go wrong with the edge before it serves. Stable: `cli/output` maps these to exit codes. */
export type EdgeErrorCode =
  | 'edge/bad-address'
  | 'edge/bad-backend'
  | 'edge/port-in-use'
  | 'edge/port-not-allowed'

/** The edge cannot do what it was told to. */
export class EdgeError extends AppError<EdgeErrorCode> {
  override readonly name = 'EdgeError'
}
