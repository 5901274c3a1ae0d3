import { AppError } from '../kernel/index.ts'
import type { StartFailure } from './fleet/edge-protocol.ts'

/**
 * What keeps the program from starting: 'app/worker-died', 'app/unsafe-admin-key', or the error of
 * an edge worker with its own code, so that it ends in the exit code it would have had here.
 */
export class AppStartError extends AppError {
  override readonly name = 'AppStartError'

  constructor(failure: StartFailure) {
    super(failure.code, failure.message, { fix: failure.fix })
  }
}
