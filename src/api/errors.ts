import { AppError } from '../kernel/index.ts'

/** What the API itself refuses; parts behind it have codes of their own. Stable on the wire. */
export type ApiErrorCode =
  | 'api/unauthorized'
  | 'api/too-many-failures' // retryAt says when
  | 'api/bad-request'
  | 'api/unknown-route'
  | 'api/too-large'
  | 'api/unsupported-media-type'
  | 'api/unexpected'
  | 'api/cannot-listen'
  | 'config/edge-name-missing'
  | 'hosts/bad-name'
  | 'hosts/not-found'
  | 'hosts/retired'
  | 'certs/not-found'
  | 'certs/not-revoked' // the CA's reason is the sentence
  | 'accounts/not-found'
  | 'events/no-webhook'
  | 'keys/node-lacks-key'
  | 'keys/no-new-key'

export class ApiError extends AppError<ApiErrorCode> {
  override readonly name = 'ApiError'
}
