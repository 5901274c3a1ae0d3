import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The core of the server that is measured, and the one of everything else. */
export type Core = 'server' | 'others'

const NUMBER_OF = { server: '0', others: '1' } as const

/** Whether processes can be bound to cores of their own here. */
export const canPin = process.platform === 'linux' && availableParallelism() >= 2

/** A command line that runs the program on one core, or as it is where that cannot be had. */
export function onCore(
  core: Core,
  program: string,
  args: readonly string[] = [],
): readonly [program: string, args: readonly string[]] {
  return canPin ? ['taskset', ['-c', NUMBER_OF[core], program, ...args]] : [program, args]
}

/** Moves a running process to a core, all its threads. */
export async function moveToCore(core: Core, pid: number): Promise<void> {
  if (canPin) await run('taskset', ['-a', '-c', '-p', NUMBER_OF[core], String(pid)])
}
