import type { ShortageWatch } from '../ports.ts'
import { connectionsWhenHigh, judgeMemory } from './memory-plan.ts'
import type { Resources } from './resources.ts'

/** Whether this process is running out of memory. */
export interface MemoryWatch {
  /** As found by the last look. */
  readonly isHigh: boolean
  /** So many connections may be there even then. */
  readonly connectionsWhenHigh: number
  look(): void
}

export function createMemoryWatch({
  resources: { memory, memoryUse },
  watch,
}: {
  readonly resources: Pick<Resources, 'memory' | 'memoryUse'>
  readonly watch: Pick<ShortageWatch, 'relieve'>
}): MemoryWatch {
  let isHigh = false
  return {
    get isHigh() {
      return isHigh
    },
    connectionsWhenHigh: connectionsWhenHigh(memory),
    look: () => {
      const wasHigh = isHigh
      isHigh = judgeMemory(memoryUse(), memory, { isHigh }).isHigh
      if (isHigh && !wasHigh) watch.relieve()
    },
  }
}
