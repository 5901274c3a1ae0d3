import { type Clock, milliseconds, seconds, startPeriodic } from '../../kernel/index.ts'

/** Where text goes: a stream, or what a test collects. */
export interface TextSink {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** What commands say: results on standard output, everything else on standard error. */
export interface Terminal {
  out(text: string): void
  note(text: string): void
  /** Runs `work`; if it takes over a second, a line on standard error says what is going on. */
  progress<Result>(label: () => string, work: () => Promise<Result>): Promise<Result>
}

/** Shorter waits need no words. */
const PATIENCE_MS = 1000
const REDRAW = milliseconds(200)
/** Where lines cannot be redrawn (a file, a CI log), one now and then is enough. */
const REPEAT = seconds(10)
const CLEAR_LINE = '\r\u001b[K'

export function createTerminal({
  stdout,
  stderr,
  clock,
}: {
  readonly stdout: TextSink
  readonly stderr: TextSink
  readonly clock: Clock
}): Terminal {
  let isDrawn = false
  const clear = (): void => {
    if (isDrawn) stderr.write(CLEAR_LINE)
    isDrawn = false
  }
  const draw = (text: string): void => {
    stderr.write(stderr.isTTY ? `${CLEAR_LINE}${text}` : `${text}\n`)
    isDrawn = stderr.isTTY === true
  }

  return {
    out: (text) => {
      clear()
      stdout.write(text)
    },
    note: (text) => {
      clear()
      stderr.write(text)
    },
    progress: async (label, work) => {
      const startedMs = clock.monotonicMs()
      await using _ticking = startPeriodic(
        async (signal) => {
          const waitedMs = clock.monotonicMs() - startedMs
          if (waitedMs < PATIENCE_MS) await clock.sleep(PATIENCE_MS - waitedMs, signal)
          const seconds = Math.round((clock.monotonicMs() - startedMs) / 1000)
          draw(`${label()} … ${seconds} s`)
        },
        // Only the stopped sleep can fail, and a stopped loop is not told.
        { clock, every: stderr.isTTY ? REDRAW : REPEAT, onError: clear },
      )
      try {
        return await work()
      } finally {
        clear()
      }
    },
  }
}
