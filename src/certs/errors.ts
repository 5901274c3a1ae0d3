import { AppError, type AppErrorOptions } from '../kernel/index.ts'

/** What can be wrong with a certificate or its row. */
export type CertificateErrorCode =
  | 'certs/unusable' // `check` says which test it failed
  | 'certs/bad-upload' // what a customer brought cannot be used; `check` says why
  | 'certs/not-found'
  | 'certs/in-use' // what is served cannot be discarded
  | 'certs/bad-password' // too short or too long to protect a file
  | 'certs/key-destroyed' // its host was retired
  | 'certs/damaged' // a row does not read as what was written
  | 'certs/bad-cursor' // a page was asked for with a cursor that is none

/** The tests that a certificate goes through before it is used. */
export type ChainCheck =
  | 'size'
  /** Of the customers' own alone, down to the next line. */
  | 'file-opens'
  | 'key-readable'
  | 'key-strength'
  | 'signatures'
  | 'accepted-by-openssl'
  /** Of all. */
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
