import { type Certificate, CertificateError, type CertificateStore } from '../certs/index.ts'
import type { EventLog } from '../events/index.ts'
import type { HistoryNotice, HostNotices } from '../hosts/index.ts'
import { type Clock, type Periodic, seconds, startPeriodic } from '../kernel/index.ts'
import type { AppRecord } from '../telemetry/index.ts'

export interface TellAccountsDeps {
  readonly hosts: HostNotices
  readonly certs: Pick<CertificateStore, 'find'>
  readonly events: Pick<EventLog, 'append'>
  readonly clock: Clock
  readonly record: Pick<AppRecord, 'backgroundFailed'>
}

const TELL_EVERY = seconds(1)
/** Taken over in one go, and marked in one write. */
const NOTICES_AT_ONCE = 100

/**
 * Makes events of what happened to hosts. A notice was written with what it tells of; it is marked
 * once there is an event of the same id: so none is lost, and none is told twice, whoever is killed
 * in between and however many nodes do this.
 */
export function tellAccounts(deps: TellAccountsDeps): Periodic {
  const { hosts, events, clock, record } = deps
  const round = async (signal: AbortSignal): Promise<void> => {
    for (let count = NOTICES_AT_ONCE; count === NOTICES_AT_ONCE && !signal.aborted; ) {
      const notices = await hosts.untold(NOTICES_AT_ONCE)
      for (const notice of notices) await events.append(await toEvent(notice, deps))
      await hosts.markTold(notices.map(({ id }) => id))
      count = notices.length
    }
  }
  return startPeriodic(round, {
    ...{ clock, every: TELL_EVERY },
    onError: (error) => record.backgroundFailed({ loop: 'notices-to-accounts', error }),
  })
}

async function toEvent(
  { id, at, account, kind, hostname, code, sentence, certificateId }: HistoryNotice,
  { certs }: Pick<TellAccountsDeps, 'certs'>,
): Promise<Parameters<EventLog['append']>[0]> {
  const certificate = certificateId && (await findReadable(certificateId, certs))
  const data = {
    reason: { code: code ?? null, sentence },
    ...(certificate ? { certificate: certificateFacts(certificate) } : {}),
  }
  return { id, at, account, kind, hostname, data }
}

/** It may have been pruned meanwhile, or be damaged: what happened is told all the same. */
async function findReadable(
  id: string,
  certs: TellAccountsDeps['certs'],
): Promise<Certificate | undefined> {
  try {
    return await certs.find(id)
  } catch (error) {
    if (error instanceof CertificateError) return undefined
    throw error
  }
}

function certificateFacts(certificate: Certificate) {
  const { id, serial, issuer, notBefore, notAfter, source } = certificate
  return {
    ...{ id, serial, issuer, source },
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
  }
}
