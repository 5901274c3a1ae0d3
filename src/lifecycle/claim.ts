import { claimRecord, judgeClaim } from '../hosts/index.ts'
import type { Work } from './work.ts'

/**
 * Lets a name that another account had go on only once DNS shows that it may: nothing is served for
 * it until then, and no CA hears of it. False if this is where it ends for now.
 */
export async function showRight({ deps, story, signal, onLooked }: Work): Promise<boolean> {
  const { hostname, claimToken, reason } = story.host
  if (claimToken === undefined) return true
  const { name } = claimRecord(hostname, claimToken)
  const answer = await deps.resolver.txt(name, signal)
  const judged = judgeClaim(hostname, claimToken, answer)
  if (judged.kind === 'proven') {
    const sentence = 'A record in DNS shows that this account may have the name.'
    const history = [{ step: 'claim', outcome: 'done', sentence }] as const
    if (!(await story.move({ kind: 'proven' }, { history, lease: 'keep' }))) return false
    // From here on the edges answer for it, and so for our own look.
    await deps.publish({ kind: 'host-changed', hostname })
    return true
  }
  const { code, sentence } = judged.reason
  const history =
    reason?.code === code ? [] : ([{ step: 'claim', outcome: 'waiting', code, sentence }] as const)
  const seen = { reason: judged.reason, checks: [judged.check], life: undefined }
  await story.move({ kind: 'not-ready', ...seen }, { history, lease: 'release' })
  onLooked()
  return false
}
