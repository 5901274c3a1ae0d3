import { AppError } from '../../kernel/index.ts'

/** What can go wrong with the servers of other programs that the demo runs. */
export type DemoErrorCode =
  | 'demo/server-did-not-start'
  | 'demo/server-refused'
  | 'demo/pebble-missing'
  | 'demo/not-as-promised'

export class DemoError extends AppError<DemoErrorCode> {
  override readonly name = 'DemoError'
}
