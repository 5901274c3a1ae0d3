import { type Duration, type Periodic, seconds, startPeriodic } from '../kernel/index.ts'
import { TURN_LEASE, type TurnDeps, takeTurn } from './turn.ts'
import type { ClaimedWebhook, Condition } from './turn-table.ts'
import type { WebhookTable } from './webhook-table.ts'

/**
 * Receivers that are served at once. Those that did not take the last event, or took long, have
 * places of their own: each may keep one for 10 s, and however many they are, the others do not wait.
 */
const PLACES: Readonly<Record<Condition, number>> = { prompt: 32, tardy: 8 }
const LOOK_EVERY = seconds(1)
const COUNT_EVERY_MS: Duration = seconds(15)
/** At the end: what was sent gets so long to be answered, or it is sent again after the start. */
const FAREWELL = seconds(5)

interface DeliveriesDeps extends TurnDeps {
  readonly table: Pick<WebhookTable, 'status'>
}

/** Delivers what is due, account by account, until it is disposed; then within some seconds. */
export function startDeliveries(deps: DeliveriesDeps): Periodic {
  const { turns, table, clock, record } = deps
  const running: Readonly<Record<Condition, Set<Promise<void>>>> = {
    prompt: new Set(),
    tardy: new Set(),
  }
  const stopping = new AbortController()
  const cutting = new AbortController()
  const signals = { stopping: stopping.signal, cutting: cutting.signal }
  let isRecovered = false
  let countedMs = Number.NEGATIVE_INFINITY

  const work = async (claimed: ClaimedWebhook): Promise<void> => {
    try {
      await takeTurn(deps, claimed, signals)
    } catch (error) {
      // The store failed us: the lease runs out, and then somebody tries again.
      record.turnFailed({ account: claimed.account, error })
    }
  }
  const start = (claimed: ClaimedWebhook, condition: Condition): void => {
    const turn = work(claimed).finally(() => {
      running[condition].delete(turn)
      loop.wake()
    })
    running[condition].add(turn)
  }
  const round = async (): Promise<void> => {
    if (!isRecovered) await turns.recoverLeases()
    isRecovered = true
    for (const condition of ['prompt', 'tardy'] as const) {
      const limit = PLACES[condition] - running[condition].size
      if (limit <= 0 || stopping.signal.aborted) continue
      for (const claimed of await turns.claimDue({ condition, limit, leaseFor: TURN_LEASE })) {
        start(claimed, condition)
      }
    }
    if (clock.monotonicMs() - countedMs < COUNT_EVERY_MS) return
    countedMs = clock.monotonicMs()
    const { waiting, waitingSince, failing } = await table.status()
    const since = waitingSince ?? clock.now()
    const oldestSeconds = Math.max(0, (clock.now().getTime() - since.getTime()) / seconds(1))
    record.webhooksAre({ waiting, oldestSeconds, failing })
  }
  const loop = startPeriodic(round, {
    clock,
    every: LOOK_EVERY,
    onError: (error) => record.loopFailed({ loop: 'webhooks', error }),
  })

  return {
    wake: loop.wake,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await loop[Symbol.asyncDispose]()
      const ended = Promise.all([...running.prompt, ...running.tardy])
      const patience = new AbortController()
      const farewell = clock.sleep(FAREWELL, patience.signal).catch((error: unknown) => {
        if (!patience.signal.aborted) throw error
      })
      await Promise.race([ended, farewell])
      patience.abort()
      cutting.abort()
      await ended
    },
  }
}
