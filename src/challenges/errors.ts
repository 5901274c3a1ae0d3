import { AppError } from '../kernel/index.ts'

/** What keeps a challenge from being shown. */
export type ChallengeErrorCode = 'challenges/bad-token' // not of RFC 8555's alphabet, or too long

export class ChallengeError extends AppError<ChallengeErrorCode> {
  override readonly name = 'ChallengeError'
}
