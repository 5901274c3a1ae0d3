import type { Clock } from '../kernel/index.ts'
import { answerTo, type TrackingRequest, type TrackingResponse, userAgentOf } from './backend.ts'
import type { HitRecorder } from './hit-recorder.ts'
import type { LinkKeys } from './link-keys.ts'
import { createLinkOpener } from './link-opener.ts'

/** A visitor's request that the operator's backend did not answer, but may have seen. */
export interface RescueRequest extends TrackingRequest {
  readonly secure: boolean
  readonly port: number
}

/** Answers signed links while the operator's backend does not, and remembers what it missed. */
export interface LinkRescue {
  /** `undefined` for what is no link of ours. */
  answerFor(request: RescueRequest): Promise<TrackingResponse | undefined>
}

export function createLinkRescue({
  keys,
  hits,
  clock,
}: {
  readonly keys: Pick<LinkKeys, 'all' | 'refresh'>
  /** Its journal is the one of what is owed. */
  readonly hits: Pick<HitRecorder, 'add'>
  readonly clock: Clock
}): LinkRescue {
  const open = createLinkOpener(keys)
  return {
    answerFor: async (request) => {
      const { method, hostname, target, address, requestId, secure, port } = request
      const opened = await open(hostname, target)
      if (opened.kind === 'refused') return undefined
      const { link } = opened
      if (method === 'GET') {
        await hits.add({
          ...{ id: requestId, at: clock.now(), hostname, address },
          ...{ kind: link.kind, reference: link.reference },
          target: link.kind === 'click' ? link.target : undefined,
          userAgent: userAgentOf(request),
          owed: { target, scheme: secure ? 'https' : 'http', port },
        })
      }
      return answerTo(link)
    },
  }
}
