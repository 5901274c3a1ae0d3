import { readdir } from 'node:fs/promises'
import { parseSegmentName } from './journal/segment-name.ts'

/** Names the files of hits that were set aside, for people: nothing here reads them. */
export async function findRefusedHits(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    // Nobody has written a hit down yet.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  })
  return names.filter((name) => parseSegmentName(name)?.state === 'refused').sort()
}
