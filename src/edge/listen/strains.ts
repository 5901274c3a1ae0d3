import type { EdgeRecord, Shortage } from '../../telemetry/index.ts'
import { STRAIN_TOLD_MS } from '../limits.ts'
import type { ShortageWatch } from '../ports.ts'

/** Tells shortages that last from those that pass: each begins once and ends once. */
export interface Strains {
  /** Something was short just now. */
  note(of: Shortage, nowMs: number): void
  /** To be called from time to time. */
  look(nowMs: number): void
}

interface Spell {
  readonly sinceMs: number
  lastMs: number
  isTold: boolean
}

export function createStrains({
  record,
  watch,
}: {
  readonly record: Pick<EdgeRecord, 'shortageBegan' | 'shortageEnded'>
  readonly watch: ShortageWatch
}): Strains {
  const spells = new Map<Shortage, Spell>()
  return {
    note: (of, nowMs) => {
      const spell = spells.get(of)
      if (spell) spell.lastMs = nowMs
      else spells.set(of, { sinceMs: nowMs, lastMs: nowMs, isTold: false })
    },
    look: (nowMs) => {
      for (const [of, spell] of spells) {
        if (nowMs - spell.lastMs >= STRAIN_TOLD_MS) {
          spells.delete(of)
          if (!spell.isTold) continue
          record.shortageEnded(of)
          watch.ended(of)
        } else if (!spell.isTold && spell.lastMs - spell.sinceMs >= STRAIN_TOLD_MS) {
          spell.isTold = true
          record.shortageBegan(of)
          watch.began(of)
        }
      }
    },
  }
}
