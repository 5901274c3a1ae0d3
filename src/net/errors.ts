import { AppError } from '../kernel/index.ts'

/** What of the outside world cannot be used at all. Answers we dislike are values instead. */
export type NetErrorCode =
  | 'net/unreadable-chain' // not PEM certificates, or too many of them
  | 'net/bad-roots' // net.roots is no file of PEM certificates

export class NetError extends AppError<NetErrorCode> {
  override readonly name = 'NetError'
}
