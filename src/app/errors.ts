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

/**
 * 'app/rehearsal-unanswered': an edge worker or a node could not say whether it could serve a
 * certificate, which is nothing against the certificate. Ask again later.
 */
export class RehearsalUnanswered extends AppError {
  override readonly name = 'RehearsalUnanswered'

  constructor(why: string) {
    super('app/rehearsal-unanswered', `${why}; it will be asked again.`, {
      fix: 'Nothing, if it passes. Otherwise see the log of the edge that is named.',
    })
  }
}
