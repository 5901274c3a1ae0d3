import type { AcmeSession } from './protocol/session.ts'
import type { Desk } from './work.ts'

/** Opens a session of our account at a CA, for `signal` to end. */
export async function openSession(
  { accounts, protocol }: Pick<Desk, 'accounts' | 'protocol'>,
  signal: AbortSignal,
): Promise<AcmeSession> {
  const { key, publicJwk, url } = await accounts.ensure(signal)
  return protocol.openSession({ key, publicJwk, accountUrl: url }, signal)
}
