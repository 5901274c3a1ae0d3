/**
 * tracking: opens and clicks. Signs the links that go into mail, answers them from what they say,
 * and makes each hit durable before the answer. Knows nothing of hosts, certificates or mail.
 */
export {
  createTrackingBackend,
  type TrackingBackend,
  type TrackingRequest,
  type TrackingResponse,
} from './backend.ts'
export type { TrackingError, TrackingErrorCode } from './errors.ts'
export { type Hit, hitToRow, type OwedRequest } from './hit.ts'
export { createHitJournal, type HitJournal } from './hit-journal.ts'
export { createHitMover, type DeliverHits, type HitBacklog, type HitMover } from './hit-mover.ts'
export { type HitPage, type HitWishes, type RecordedHit, readHits } from './hit-page.ts'
export { createHitRecorder, type HitRecorder } from './hit-recorder.ts'
export { createLinkKeys, type LinkKeys } from './link-keys.ts'
export { createLinkRescue, type LinkRescue, type RescueRequest } from './link-rescue.ts'
export { parseLinkTarget } from './link-target.ts'
export { createOneByOne } from './one-by-one.ts'
export { findRefusedHits } from './refused-hits.ts'
export {
  type Link,
  type LinkDraft,
  type LinkKey,
  type OpenedLink,
  openLink,
  signLink,
} from './signed-link.ts'
