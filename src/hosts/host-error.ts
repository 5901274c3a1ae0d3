import { AppError } from '../kernel/index.ts'

/** What can be wrong with a request about a host. */
export type HostErrorCode =
  | 'hosts/not-found'
  /** `edge.name` is not set, so nobody could be told where to point a CNAME. */
  | 'hosts/no-edge-name'
  /** The edge name itself is the operator's, and can be no customer's host. */
  | 'hosts/is-edge-name'
  /** The name is another account's; the fix names the record that proves otherwise. */
  | 'hosts/other-account'
  /** DNS has not shown yet that the name may be this account's. */
  | 'hosts/claim-needed'
  /** Its owner brings the certificates: there is none to be renewed. */
  | 'hosts/own-certificate'

export class HostError extends AppError<HostErrorCode> {
  override readonly name = 'HostError'
}
