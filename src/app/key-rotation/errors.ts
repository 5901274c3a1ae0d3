import { AppError } from '../../kernel/index.ts'

/** Why keys are not changed. Refusals of a rotation are values; these were not foreseen. */
export type KeysErrorCode = 'keys/worker-not-told' | 'keys/file-changed'

export class KeysError extends AppError<KeysErrorCode> {
  override readonly name = 'KeysError'
}
