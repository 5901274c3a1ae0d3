/**
 * Which of our keys may seal: the first one that every other living node can open, too. So a new
 * first key in `vault.key` waits until the last node has it, and no node meets a secret that it
 * cannot open. If they have none in common (a node too old to say), one that this database knows is
 * the safest; in a new database it is the first.
 */
export function chooseSealingKey(
  ours: readonly [string, ...string[]],
  {
    others,
    known,
  }: {
    readonly others: readonly { readonly keyIds: readonly string[] }[]
    /** The ids in `key_checks`: every node had to open with these when it started. */
    readonly known: readonly string[]
  },
): string {
  const isCommon = (id: string): boolean => others.every(({ keyIds }) => keyIds.includes(id))
  return ours.find(isCommon) ?? ours.find((id) => known.includes(id)) ?? ours[0]
}
