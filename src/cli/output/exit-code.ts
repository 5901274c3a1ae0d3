import { AppError } from '../../kernel/index.ts'

/** How a command can end. Scripts rely on it. */
export const EXIT = {
  done: 0,
  failed: 1,
  wrongUsage: 2,
  notFound: 3,
  unreachable: 4,
  refusedForSafety: 5,
} as const

/** The only place where codes, ours and the server's, become exit codes. Others have failed. */
const EXIT_BY_CODE: ReadonlyMap<string, number> = new Map([
  ...codes(
    EXIT.wrongUsage,
    ...['cli/usage', 'cli/no-key', 'cli/cannot-write'],
    ...['config/unknown-key', 'config/bad-value', 'config/given-twice', 'config/unreadable'],
    ...['config/edge-name-missing', 'hosts/no-edge-name', 'hosts/is-edge-name', 'hosts/bad-name'],
    ...['api/unauthorized', 'api/too-many-failures', 'api/bad-request', 'api/cannot-listen'],
    ...['edge/bad-address', 'edge/bad-backend', 'edge/port-in-use', 'edge/port-not-allowed'],
    ...['certs/bad-upload', 'certs/bad-password', 'accounts/bad-id', 'events/bad-url'],
    ...['acme/bad-roots', 'keys/no-new-key'],
    ...['store/bad-url', 'store/not-writable', 'store/already-served'],
  ),
  ...codes(EXIT.notFound, 'hosts/not-found', 'certs/not-found', 'api/unknown-route'),
  ...codes(EXIT.notFound, 'accounts/not-found', 'events/no-webhook'),
  ...codes(EXIT.unreachable, 'cli/unreachable', 'cli/not-postern'),
  ...codes(
    EXIT.refusedForSafety,
    ...['vault/wrong-key', 'vault/missing-key', 'vault/unsafe-key-file', 'vault/bad-key'],
    ...['vault/key-command-failed', 'store/newer-schema', 'app/unsafe-admin-key'],
    ...['hosts/other-account', 'keys/node-lacks-key'],
  ),
])

/** The exit code that says what kind of failure this was. */
export function exitCodeOf(error: unknown): number {
  return error instanceof AppError ? (EXIT_BY_CODE.get(error.code) ?? EXIT.failed) : EXIT.failed
}

function codes(exit: number, ...list: readonly string[]): readonly (readonly [string, number])[] {
  return list.map((code) => [code, exit])
}
