/** What `key rotate` comes down to. */
export type RotationPlan =
  /** It is under way. */
  | { readonly kind: 'follow'; readonly id: string }
  /** The one under way goes on to the key that is first now. */
  | { readonly kind: 'redirect'; readonly id: string; readonly secrets: number }
  | { readonly kind: 'move'; readonly secrets: number }
  /** `instead` of one under way to a key that is nowhere. */
  | { readonly kind: 'make-key'; readonly secrets: number; readonly instead: string | undefined }
  | { readonly kind: 'nothing-to-do' }
  | { readonly kind: 'nodes-lack-key'; readonly nodes: readonly string[] }
  | { readonly kind: 'no-key-can-be-made' }

export interface RotationFacts {
  /** Of `vault.key`, in its order: the first is to seal. */
  readonly keyIds: readonly [string, ...string[]]
  /** Secrets at rest by key id; keys that are not at hand among them. */
  readonly counts: ReadonlyMap<string, number>
  readonly underWay: { readonly id: string; readonly toKeyId: string } | undefined
  readonly retireOld: boolean
  /** Other living nodes that do not hold the first key. */
  readonly nodesLackingTarget: readonly string[]
  /** Whether Postern can write a key to where keys are, and no other node would miss it. */
  readonly mayMakeKey: boolean
}

/**
 * Decides how everything gets under the first key of `vault.key`. If it is the only one and has
 * everything, a new one is made. Secrets under keys that are not at hand do not count: nobody can
 * move them, and they must not keep the others from being moved.
 */
export function planRotation({
  keyIds: [target, ...old],
  counts,
  underWay,
  retireOld,
  nodesLackingTarget,
  mayMakeKey,
}: RotationFacts): RotationPlan {
  if (underWay?.toKeyId === target) return { kind: 'follow', id: underWay.id }
  const elsewhere = sum(old, counts)
  if (old.length === 0) {
    if (!mayMakeKey) return { kind: 'no-key-can-be-made' }
    return { kind: 'make-key', secrets: sum([target], counts), instead: underWay?.toKeyId }
  }
  if (nodesLackingTarget.length > 0) return { kind: 'nodes-lack-key', nodes: nodesLackingTarget }
  if (underWay) return { kind: 'redirect', id: underWay.id, secrets: elsewhere }
  if (elsewhere === 0 && !retireOld) return { kind: 'nothing-to-do' }
  return { kind: 'move', secrets: elsewhere }
}

function sum(keyIds: readonly string[], counts: ReadonlyMap<string, number>): number {
  return keyIds.reduce((total, id) => total + (counts.get(id) ?? 0), 0)
}

/** Why a rotation does not begin, and what to do about it. Stable codes. */
export interface RotationRefusal {
  readonly code: 'keys/node-lacks-key' | 'keys/no-new-key'
  readonly sentence: string
  readonly fix: string
}

export function nodesLackKey(nodes: readonly string[], keyId: string): RotationRefusal {
  const who = nodes.length === 1 ? `Node ${nodes[0]} does` : `Nodes ${nodes.join(', ')} do`
  return {
    code: 'keys/node-lacks-key',
    sentence: `${who} not hold key ${keyId} yet, and could not open what is moved to it.`,
    fix: 'Put the key into vault.key there, first and before the old one, send SIGHUP, and try again.',
  }
}

export function noKeyCanBeMade(engine: 'sqlite' | 'postgres', source: string): RotationRefusal {
  const sentence =
    engine === 'postgres'
      ? 'Several nodes can share this database: a new key has to be given to each of them by hand.'
      : `The only key is from ${source}: Postern can make a new one only where vault.key is one file.`
  const [where, how] =
    engine === 'postgres'
      ? ['vault.key on every node', 'send each SIGHUP']
      : ['vault.key', 'send SIGHUP']
  return {
    code: 'keys/no-new-key',
    sentence,
    fix: `Make a key (openssl rand -base64 32), name it first in ${where}, before the present one and a comma, ${how} (restart where it is in env:), then run: postern key rotate`,
  }
}
