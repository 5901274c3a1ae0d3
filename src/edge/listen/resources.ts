import { closeSync, openSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { readDescriptorLimit } from './descriptor-plan.ts'
import { type MemoryBounds, type MemoryUse, memoryOfProcess } from './memory-plan.ts'

/** What the system lets this process have, and what it has taken. */
export interface Resources {
  /** How many files it may open; `undefined` where the system does not say. */
  readonly descriptors: number | undefined
  readonly memory: MemoryBounds
  memoryUse(): MemoryUse
  /** Whether another file could be opened just now. */
  hasDescriptors(): boolean
}

/** `processes` share the memory of this machine, or of this container. */
export function readResources({ processes }: { readonly processes: number }): Resources {
  const keptBytes = watchKeptBytes()
  return {
    descriptors: descriptorLimit(),
    memory: {
      rss: memoryOfProcess({
        machine: totalmem(),
        constrained: process.constrainedMemory(),
        processes,
      }),
      heap: getHeapStatistics().heap_size_limit - YOUNG_BYTES_MAX,
    },
    memoryUse: () => {
      const { rss, heapUsed } = process.memoryUsage()
      return { rss, heap: Math.min(heapUsed, keptBytes()) }
    },
    hasDescriptors,
  }
}

/** What V8 adds to the bound for objects that have just been made: four nurseries (Node 26). */
const YOUNG_BYTES_MAX = 4 * 8 * 1024 * 1024

/**
 * What was left after the last collection of the whole heap; 0 before the first. Between two of them
 * V8 lets a heap grow to several times of what is in use: that is no shortage.
 */
function watchKeptBytes(): () => number {
  let keptBytes = 0
  const observer = new PerformanceObserver((list) => {
    if (list.getEntries().some(isMajor)) keptBytes = process.memoryUsage().heapUsed
  })
  observer.observe({ type: 'gc' })
  return () => keptBytes
}

function isMajor(entry: PerformanceEntry & { readonly detail?: unknown }): boolean {
  const { detail } = entry
  return (
    typeof detail === 'object' &&
    detail !== null &&
    'kind' in detail &&
    detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR
  )
}

/** Linux only; elsewhere one lives with what is assumed. */
function descriptorLimit(): number | undefined {
  try {
    return readDescriptorLimit(readFileSync('/proc/self/limits', 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Tried out, because nobody tells: when accept fails for want of descriptors, libuv lets go of one it
 * has in reserve, and with it takes and closes whoever waits, one after the other. That ends the
 * busy loop, and is never heard of in JavaScript.
 */
function hasDescriptors(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'))
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EMFILE' || code === 'ENFILE') return false
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
