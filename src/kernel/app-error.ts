/** What every thrown error of Postern carries besides its sentence. */
export interface AppErrorOptions {
  readonly cause?: unknown
  /** When the other side said that it makes sense to try again. */
  readonly retryAt?: Date | undefined
  /** What the reader can do about it: one sentence, imperative. */
  readonly fix?: string | undefined
}

/**
 * The base of everything that Postern throws on purpose. Each part has one subclass with its own
 * union of codes; `message` is one sentence for the operator, without secrets or stack.
 */
export abstract class AppError<Code extends string = string> extends Error {
  readonly code: Code
  readonly retryAt: Date | undefined
  readonly fix: string | undefined

  constructor(code: Code, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryAt = options.retryAt
    this.fix = options.fix
  }
}
