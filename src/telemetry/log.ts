import { pino } from 'pino'
import type { LogOptions } from './options.ts'

/** Named facts of one event. Secrets are `Redacted` and print as such. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * Writes events, not sentences: `log.info('certificate-issued', { hostname })`.
 * error = someone must act; warn = we coped; info = it happened.
 */
export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  setLevel(level: LogOptions['level']): void
}

/** Where finished lines go; standard error unless told otherwise. */
export interface LogSink {
  write(line: string): void
}

/** Opens the log: JSON lines (pino), or short lines for people on a terminal. */
export function openLog(options: LogOptions, bindings: LogFields = {}, sink?: LogSink): Log {
  const pretty = options.pretty ?? process.stderr.isTTY
  const target = sink ?? { write: (line: string) => void process.stderr.write(line) }
  const logger = pino(
    {
      level: options.level,
      base: bindings,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: errorToFields },
    },
    pretty ? { write: (line) => target.write(lineForPeople(line)) } : target,
  )
  return {
    debug: (event, fields) => logger.debug({ event, ...fields }),
    info: (event, fields) => logger.info({ event, ...fields }),
    warn: (event, fields) => logger.warn({ event, ...fields }),
    error: (event, fields) => logger.error({ event, ...fields }),
    setLevel: (level) => {
      logger.level = level
    },
  }
}

/** An error as fields: its code, its sentence, what to do, what caused it; a stack only for bugs. */
function errorToFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const code = 'code' in error ? error.code : undefined
  const fix = 'fix' in error ? error.fix : undefined
  return {
    name: error.name,
    ...(code === undefined ? { stack: error.stack } : { code }),
    message: error.message,
    ...(fix === undefined ? {} : { fix }),
    ...(error.cause === undefined ? {} : { cause: errorToFields(error.cause) }),
  }
}

function lineForPeople(line: string): string {
  const { time, level, event, ...fields }: Record<string, unknown> = JSON.parse(line)
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${event} ${rest.join(' ')}\n`
}
