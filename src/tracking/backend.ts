import type { Clock, Hostname } from '../kernel/index.ts'
import type { TrackingRecord } from '../telemetry/index.ts'
import type { HitRecorder } from './hit-recorder.ts'
import type { LinkKeys } from './link-keys.ts'
import { createLinkOpener } from './link-opener.ts'
import type { Link } from './signed-link.ts'

/** What the backend must know of a request. */
export interface TrackingRequest {
  readonly method: string
  readonly hostname: Hostname
  readonly target: string
  readonly address: string
  readonly userAgent: string
  /** Unlike any other's; becomes the id of the hit. */
  readonly requestId: string
}

/** A whole answer. */
export interface TrackingResponse {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

/** Answers opens and clicks from the signed link alone: no look-up, so no outage of one. */
export interface TrackingBackend {
  handle(request: TrackingRequest): Promise<TrackingResponse>
}

/** Of a visitor's own words; browsers say who they are in under 300 characters. */
const USER_AGENT_CHARACTERS_MAX = 512

export function createTrackingBackend({
  keys,
  hits,
  clock,
  record,
}: {
  readonly keys: Pick<LinkKeys, 'all' | 'refresh'>
  readonly hits: Pick<HitRecorder, 'add'>
  readonly clock: Clock
  readonly record: Pick<TrackingRecord, 'linkRefused'>
}): TrackingBackend {
  const open = createLinkOpener(keys)

  return {
    handle: async (request) => {
      const { method, hostname, target, address, requestId } = request
      if (method !== 'GET' && method !== 'HEAD') return METHOD_NOT_ALLOWED
      const opening = open(hostname, target)
      const opened = opening instanceof Promise ? await opening : opening
      if (opened.kind === 'refused') {
        record.linkRefused(opened.why)
        return NOT_FOUND
      }
      const { link } = opened
      // HEAD answers alike and counts nothing: link checkers send it, people do not.
      if (method === 'GET') {
        await hits.add({
          id: requestId,
          at: clock.now(),
          kind: link.kind,
          hostname,
          reference: link.reference,
          target: link.kind === 'click' ? link.target : undefined,
          address,
          userAgent: userAgentOf(request),
        })
      }
      return answerTo(link)
    },
  }
}

/** What a hit keeps of the visitor's own words. */
export function userAgentOf({ userAgent }: Pick<TrackingRequest, 'userAgent'>): string {
  return userAgent.slice(0, USER_AGENT_CHARACTERS_MAX)
}

/** What a visitor gets for a link that is ours. */
export function answerTo(link: Link): TrackingResponse {
  if (link.kind === 'open') return PIXEL
  return {
    status: 302,
    headers: [['location', link.target], ['referrer-policy', 'no-referrer'], ...NEVER_KEPT],
    body: NOTHING,
  }
}

/** The next open or click must come to us again, and is nobody's search result. */
const NEVER_KEPT = [
  ['cache-control', 'no-store, no-cache, must-revalidate, private, max-age=0'],
  ['pragma', 'no-cache'],
  ['expires', '0'],
  ['x-robots-tag', 'noindex, nofollow'],
] as const

const NOTHING = Buffer.alloc(0)

/** One transparent pixel: GIF89a in 43 bytes. */
const PIXEL: TrackingResponse = {
  status: 200,
  headers: [['content-type', 'image/gif'], ...NEVER_KEPT],
  body: Buffer.from('R0lGODlhAQABAPAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64'),
}

const TEXT = ['content-type', 'text/plain; charset=utf-8'] as const

const NOT_FOUND: TrackingResponse = {
  status: 404,
  headers: [TEXT, ...NEVER_KEPT],
  body: Buffer.from('There is nothing here. The link may have been changed on its way to you.\n'),
}

const METHOD_NOT_ALLOWED: TrackingResponse = {
  status: 405,
  headers: [TEXT, ['allow', 'GET, HEAD'], ...NEVER_KEPT],
  body: Buffer.from('Only GET and HEAD are answered here.\n'),
}
