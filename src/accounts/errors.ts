import { AppError } from '../kernel/index.ts'

/** What can be wrong with a request about accounts. */
export type AccountsErrorCode = 'accounts/bad-id'

export class AccountsError extends AppError<AccountsErrorCode> {
  override readonly name = 'AccountsError'
}
