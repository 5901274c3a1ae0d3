import { type AddedHost, claimRecord, HostError, isProof, type NameWish } from '../hosts/index.ts'
import type { LifecycleDeps } from './ports.ts'

/**
 * Adds a host. A name that another account has goes over if DNS shows this account's token now.
 * Throws 'hosts/other-account', which names the record.
 */
export async function addHost(
  { hosts, resolver }: Pick<LifecycleDeps, 'hosts' | 'resolver'>,
  wish: NameWish,
): Promise<AddedHost> {
  const { hostname, domain, account } = wish
  try {
    return await hosts.add(hostname, domain, account)
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'hosts/other-account') throw error
    const token = await hosts.claimToken(hostname, account)
    if (token === undefined) throw error
    const record = claimRecord(hostname, token)
    // The resolver has a deadline of its own.
    const answer = await resolver.txt(record.name, new AbortController().signal)
    if (!isProof(answer, record)) throw error
    return hosts.moveOver(wish, token)
  }
}
