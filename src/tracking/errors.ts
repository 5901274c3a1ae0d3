import { AppError } from '../kernel/index.ts'

/** What can go wrong with links and their keys. */
export type TrackingErrorCode = 'tracking/bad-target' | 'tracking/bad-reference' | 'tracking/no-key'

/** A link cannot be signed. */
export class TrackingError extends AppError<TrackingErrorCode> {
  override readonly name = 'TrackingError'
}
