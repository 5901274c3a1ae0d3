import type { Certificate } from '../certs/index.ts'
import type { ClaimedHost, HistoryStep } from '../hosts/index.ts'
import type { Urgency } from '../kernel/index.ts'
import type { AttendanceRules } from './attendance-plan.ts'
import type { ClockWitness } from './clock-witness.ts'
import type { LookSettings } from './look.ts'
import type { LifecycleDeps, Rhythm } from './ports.ts'
import type { QueuePace } from './queue-pace.ts'
import type { Slots } from './slots.ts'
import type { Story } from './story.ts'

/** How hosts are worked on: the same for all. */
export interface AttendSettings {
  readonly look: LookSettings
  readonly rhythm: Rhythm
  readonly rules: AttendanceRules
}

export interface AttendContext {
  readonly settings: AttendSettings
  /** How many may be at the CA. */
  readonly slots: Slots
  readonly queuePace: QueuePace
  readonly witness: ClockWitness
  /** The turn of a host had come, and there was no room after all. */
  readonly onQueuedAgain: (urgency: Urgency) => void
  /** The host is to be given back as it is. */
  readonly stopping: AbortSignal
  /** Ends the work: `stopping`, or because it took too long. */
  readonly signal: AbortSignal
  /** Called as soon as the look has been written down. */
  readonly onLooked: () => void
}

/** One host under way, in the hands of who works on it. */
export interface Work extends AttendContext {
  readonly deps: LifecycleDeps
  readonly story: Story
  readonly via: ClaimedHost['via']
  /** What is being done, for the story if it fails. */
  readonly progress: { step: HistoryStep }
}

/** What the host has when the work begins. */
export interface Held {
  readonly current: Certificate | undefined
  readonly waiting: Certificate | undefined
}
