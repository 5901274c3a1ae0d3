/**
 * lifecycle: moves hosts along, from the first look at their DNS to a certificate that every edge
 * worker serves, and again at each renewal. It decides nothing itself: `hosts` judges and moves,
 * `acme` issues, `certs` keeps. It runs in the background and tells each host's story.
 */
export {
  type Attendance,
  type AttendanceRules,
  type HeldLife,
  planAttendance,
  soakEnds,
  waitingSince,
} from './attendance-plan.ts'
export { createLifecycle, type Lifecycle, type QueueCounts } from './lifecycle.ts'
export type { LifecycleOptions } from './options.ts'
export type { BroughtCertificate } from './own-certificate.ts'
export type {
  LifecycleDeps,
  LifecycleSettings,
  Rehearsal,
  ServingCheck,
  ServingConfirmation,
} from './ports.ts'
export type { RevokeOutcome } from './revoke.ts'
export type { Visited } from './visits.ts'
