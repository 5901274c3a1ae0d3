import { AppError } from '../../kernel/index.ts'
import { printable } from './printable.ts'

/** An error for people: one sentence, and what to do. Never a stack. */
export function errorToText(error: unknown): string {
  const { message, fix, retryAt } = errorToFacts(error)
  const lines = [
    `postern: ${printable(message)}`,
    ...(fix === undefined ? [] : [`  ${printable(fix)}`]),
    ...(retryAt === undefined ? [] : [`  Again from ${retryAt}.`]),
  ]
  return `${lines.join('\n')}\n`
}

/** The same for programs, in the form of the API's errors. */
export function errorToJson(error: unknown): string {
  return `${JSON.stringify({ error: errorToFacts(error) })}\n`
}

export interface ErrorFacts {
  readonly code: string
  readonly message: string
  readonly fix?: string
  readonly retryAt?: string
}

/** Code, sentence and fix; a bug is told as such. */
export function errorToFacts(error: unknown): ErrorFacts {
  if (!(error instanceof AppError)) {
    const message = error instanceof Error ? error.message : String(error)
    return {
      code: 'cli/unexpected',
      message: `unexpected: ${message}`,
      fix: 'This is a fault of Postern. Details: repeat it with --log.level debug, or see the log.',
    }
  }
  return {
    code: error.code,
    message: error.message,
    ...(error.fix === undefined ? {} : { fix: error.fix }),
    ...(error.retryAt === undefined ? {} : { retryAt: error.retryAt.toISOString() }),
  }
}
