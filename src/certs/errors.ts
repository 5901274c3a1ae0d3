import { AppError, type AppErrorOptions } from '../kernel/index.ts'

/** What can be wrong with a certificate or its row. */
export type CertificateErrorCode =
  | 'certs/unusable' // `check` says which test it failed
  | 'certs/not-found'
  | 'certs/key-destroyed' // its host was retired
  | 'certs/damaged' // a row does not read as what was written
  | 'certs/bad-cursor' // a page was asked for with a cursor that is none

/** The tests that an issued certificate goes through before it is used. */
export type ChainCheck =
  | 'size'
  | 'no-private-key'
  | 'readable'
  | 'complete'
  | 'key-matches'
  | 'names-host'
  | 'for-servers'
  | 'in-validity'
  | 'links'

export class CertificateError extends AppError<CertificateErrorCode> {
  override readonly name = 'CertificateError'
  /** The test that failed, of an unusable certificate. */
  readonly check: ChainCheck | undefined

  constructor(
    code: CertificateErrorCode,
    message: string,
    { check, ...options }: AppErrorOptions & { readonly check?: ChainCheck } = {},
  ) {
    super(code, message, options)
    this.check = check
  }
}
