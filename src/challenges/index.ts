/**
 * challenges: which token is answered on which host right now. Serves nothing itself: the edge asks.
 * Knows no CA: acme and the preflight say what to show.
 */
export { type ChallengeBook, createChallengeBook } from './challenge-book.ts'
export { ChallengeError, type ChallengeErrorCode } from './errors.ts'
