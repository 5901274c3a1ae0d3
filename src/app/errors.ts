import { AppError } from '../kernel/index.ts'
import type { StartFailure } from './fleet/edge-protocol.ts'

/** What keeps the program from starting, besides the errors of its parts. */
export type AppErrorCode = 'app/worker-died' | 'app/port-in-use' | 'app/port-not-allowed'

/**
 * A failure to start, perhaps of another process: `code` is then that process's own, so that it
 * ends in the same exit code as if it had happened here.
 */
export class AppStartError extends AppError {
  override readonly name = 'AppStartError'

  constructor(failure: StartFailure) {
    super(failure.code, failure.message, { fix: failure.fix })
  }
}
