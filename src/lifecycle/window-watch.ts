import type { Certificate } from '../certs/index.ts'
import { urgencyOf } from '../hosts/index.ts'
import { bounded, minutes, type Periodic, seconds, startPeriodic } from '../kernel/index.ts'
import type { LifecycleDeps, Rhythm } from './ports.ts'

type WatchDeps = Pick<LifecycleDeps, 'hosts' | 'certs' | 'issuer' | 'clock' | 'record'>

/** A certificate is asked about right after it was issued, and then when its CA says so. */
const ROUND_EVERY = seconds(5)
/** A million certificates, each asked about every six hours, are 46 questions a second. */
const QUESTIONS_PER_CLAIM = 200
const QUESTIONS_AT_ONCE = 16
/** A node that dies while asking is missed for so long; a CA that does not answer, too. */
const ASK_AGAIN_AFTER = minutes(15)

/** Asks CAs when certificates should be renewed (RFC 9773), and moves renewals when that changes. */
export function startWindowWatch(deps: WatchDeps, rhythm: Rhythm): Periodic {
  const { certs, clock, record } = deps
  const round = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const due = await certs.claimQuestions({
        limit: QUESTIONS_PER_CLAIM,
        leaseFor: ASK_AGAIN_AFTER,
      })
      await bounded(due, QUESTIONS_AT_ONCE, (certificate) =>
        askAbout(deps, certificate, { rhythm, signal }),
      )
      if (due.length < QUESTIONS_PER_CLAIM || signal.aborted) return
    }
  }
  return startPeriodic(round, {
    ...{ clock, every: ROUND_EVERY },
    onError: (error) => record.loopFailed({ loop: 'windows', error }),
  })
}

interface Asking {
  readonly rhythm: Rhythm
  readonly signal: AbortSignal
}

async function askAbout(
  deps: WatchDeps,
  certificate: Certificate,
  { rhythm, signal }: Asking,
): Promise<void> {
  if (signal.aborted) return
  const { certs, issuer, record } = deps
  const { id, renewAt, renewBecause, window, explanationUrl } = certificate
  const answer = await issuer.askWindow(certificate, signal)
  const { askAt } = answer
  if (answer.kind === 'none') {
    record.windowAnswered('none')
    await certs.plan(id, { renewAt, renewBecause, window, explanationUrl, askAt })
    return
  }
  const told = { window: answer.window, explanationUrl: answer.explanationUrl, askAt }
  if (isSame(window, answer.window)) {
    record.windowAnswered('same')
    await certs.plan(id, { renewAt, renewBecause, ...told })
    return
  }
  record.windowAnswered('moved')
  // The point in the window is drawn once: here, because the window is another.
  const plan = issuer.plan(certificate, answer.window)
  await certs.plan(id, { renewAt: plan.renewAt, renewBecause: plan.because, ...told })
  await follow(deps, { ...certificate, renewAt: plan.renewAt, renewBecause: plan.because }, rhythm)
}

/** Has the host come when its certificate is due now. */
async function follow(
  { hosts, certs, clock, record }: WatchDeps,
  planned: Certificate,
  rhythm: Rhythm,
): Promise<void> {
  const { id, hostname, renewAt, renewBecause, explanationUrl } = planned
  const [host, current] = [await hosts.find(hostname), await certs.current(hostname)]
  if (!host || current?.id !== id) return
  const urgency = urgencyOf(host, planned, { now: clock.now(), ...rhythm })
  await hosts.renewalMoved(hostname, renewAt, urgency)
  const move = { hostname, certificateId: id, renewAt, because: renewBecause, explanationUrl }
  record.renewalMoved(move)
}

function isSame(
  one: { readonly start: Date; readonly end: Date } | undefined,
  other: { readonly start: Date; readonly end: Date },
): boolean {
  return one?.start.getTime() === other.start.getTime() && one.end.getTime() === other.end.getTime()
}
