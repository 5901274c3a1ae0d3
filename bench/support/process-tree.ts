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

/**
 * Memory that is this process's alone: what one more of them costs. Resident memory counts the pages
 * of the program itself as well (55 MB of Node's), which all its processes share.
 */
export async function ownMb(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const kilobytes = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)]
  return kilobytes.reduce((total, [, count]) => total + Number(count), 0) / 1024
}
