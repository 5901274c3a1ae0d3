import { readFile } from 'node:fs/promises'
import { childrenOf } from '../../test/support/clients.ts'

/** A process and all that it started, itself first (Linux). */
export async function treeOf(pid: number): Promise<readonly number[]> {
  const children = await childrenOf(pid)
  return [pid, ...(await Promise.all(children.map(treeOf))).flat()]
}

/** Resident memory of one process. */
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}
