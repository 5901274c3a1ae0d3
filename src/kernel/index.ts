/**
 * kernel: the words everybody uses. Pure, no I/O and no npm packages; time and chance come in
 * through `Clock` and `Random`.
 */
export { type AgingMap, createAgingMap, createRecentKeys, type RecentKeys } from './aging-map.ts'
export { AppError, type AppErrorOptions } from './app-error.ts'
export { backoff } from './backoff.ts'
export { bounded } from './bounded.ts'
export { type Brand, brand } from './brand.ts'
export { type Clock, systemClock } from './clock.ts'
export {
  DER_TAGS,
  der,
  derBitString,
  derObjectIdentifier,
  derSequence,
  derUnsigned,
} from './der.ts'
export {
  after,
  type Duration,
  days,
  formatDuration,
  hours,
  milliseconds,
  minutes,
  parseDuration,
  seconds,
} from './duration.ts'
export { unreachable } from './exhaustive.ts'
export { type Hostname, parentsOf, parseHostname, parseWireHostname } from './hostname.ts'
export { newId } from './id.ts'
export { nearestName } from './nearest-name.ts'
export { NOTICE_KINDS, type NoticeKind } from './notice.ts'
export { type Periodic, type PeriodicOptions, startPeriodic } from './periodic.ts'
export { createPlaces, type Places } from './places.ts'
export { type Random, systemRandom } from './random.ts'
export type { Reason, ReasonCode } from './reason.ts'
export { Redacted } from './redacted.ts'
export { createSingleFlight } from './single-flight.ts'
export { URGENCIES, type Urgency, urgencyRank } from './urgency.ts'
export { type InTime, within } from './within.ts'
