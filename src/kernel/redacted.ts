import { inspect } from 'node:util'

/** A value that must not be printed: logs, JSON and inspection show `[redacted]`. */
export class Redacted<Value> {
  readonly #value: Value

  constructor(value: Value) {
    this.#value = value
  }

  /** The value itself. The name makes each use visible in a review. */
  reveal(): Value {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect.custom](): string {
    return '[redacted]'
  }
}
