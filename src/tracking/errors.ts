import { AppError } from '../kernel/index.ts'

/** What can go wrong with links, their keys, and the hits they bring. */
export type TrackingErrorCode =
  | 'tracking/bad-target'
  | 'tracking/bad-reference'
  | 'tracking/no-key'
  | 'tracking/journal-full'
  | 'tracking/disk-short'
  | 'tracking/disk-hangs'

/** A link cannot be signed, or a hit not be written down. */
export class TrackingError extends AppError<TrackingErrorCode> {
  override readonly name = 'TrackingError'
}
