/**
 * accounts: the tenants. Says who there is; what belongs to an account is known to the part that
 * keeps it.
 */
export {
  type Account,
  type AccountPage,
  type Accounts,
  type AccountsPageRequest,
  createAccounts,
  DEFAULT_ACCOUNT,
} from './accounts.ts'
export type { AccountsErrorCode } from './errors.ts'
