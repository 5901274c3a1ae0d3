import type { EdgeBound, RehearsalOutcome, TicketKey, Visits } from '../../edge/index.ts'
import type { Clock, Hostname } from '../../kernel/index.ts'
import type { AppRecord, LogOptions, MetricsSnapshot, Shortage } from '../../telemetry/index.ts'
import { exportKeyRing, type KeyRing } from '../../vault/index.ts'
import type { EdgeFleet, EdgeTrouble } from './edge-fleet.ts'
import type { EdgeOrders } from './edge-protocol.ts'
import { createWorkerCounts } from './worker-counts.ts'
import { spawnWorker, type Variables, type WorkerProcess } from './worker-process.ts'
import { watchWorker } from './worker-watch.ts'

export interface WorkerFleetDeps {
  readonly clock: Clock
  readonly record: AppRecord
  readonly variables: Variables
}

/** A worker that lives shorter than this and dies again does not come back at once. */
const HEALTHY_LIFE_MS = 10_000
const RESPAWN_PAUSE_MS = 1_000
const RESPAWN_PAUSE_MS_MAX = 30_000
/** Workers drain within 20 s and settle their hits (CONTRACT: 30 s in all); then they are cut off. */
const DRAIN_MS_MAX = 27_000

/** Ends a worker that was loaded for a start that did not come about. */
export async function abandonWorker(worker: WorkerProcess): Promise<void> {
  worker.kill()
  await worker.gone
}

/**
 * Starts a fleet of `count` workers, of which the first is loaded already, and keeps their number:
 * one that dies is replaced at once, one that keeps dying after a growing pause. The first gets the
 * machine to itself until it listens: so the first visitor waits least. Throws what keeps a worker
 * from starting; by then all are gone but the first, which the caller abandons.
 */
export async function startWorkerFleet(
  first: WorkerProcess,
  count: number,
  orders: EdgeOrders,
  deps: WorkerFleetDeps,
): Promise<EdgeFleet> {
  const bound = await startWorker(first, orders)
  const others = Array.from({ length: count - 1 }, () => spawnWorker(deps.variables))
  try {
    await Promise.all(others.map((worker) => startWorker(worker, orders)))
  } catch (error) {
    await Promise.all(others.map(abandonWorker))
    throw error
  }
  return new WorkerFleet([first, ...others], { bound, orders }, deps)
}

/** Hands the keys over; the copy that was sent is zeroed. */
function startWorker(worker: WorkerProcess, orders: EdgeOrders): Promise<EdgeBound> {
  const keyRing = exportKeyRing(orders.keyRing)
  const listening = worker.start({ ...orders, keyRing })
  for (const { bytes } of keyRing.keys) bytes.fill(0)
  return listening
}

class WorkerFleet implements EdgeFleet {
  readonly bound: EdgeBound
  readonly #wanted: number
  readonly #deps: WorkerFleetDeps
  readonly #stopping = new AbortController()
  /** Those that listen; only they are asked. */
  readonly #serving: Set<WorkerProcess>
  /** Those and the ones that are starting; all are told, or a notice would be missed. */
  readonly #alive: Set<WorkerProcess>
  readonly #counts = createWorkerCounts<WorkerProcess>()
  readonly #keepers: readonly Promise<void>[]
  #orders: EdgeOrders
  #ending: Promise<void> | undefined

  constructor(
    started: readonly WorkerProcess[],
    { bound, orders }: { readonly bound: EdgeBound; readonly orders: EdgeOrders },
    deps: WorkerFleetDeps,
  ) {
    this.bound = bound
    this.#orders = orders
    this.#deps = deps
    this.#wanted = started.length
    this.#serving = new Set(started)
    this.#alive = new Set(started)
    this.#keepers = started.map((worker) => this.#keepAlive(worker))
    for (const worker of started) this.#watch(worker)
  }

  count(): { readonly serving: number; readonly wanted: number } {
    return { serving: this.#serving.size, wanted: this.#wanted }
  }

  hostChanged(hostname: Hostname): void {
    this.#tell({ kind: 'host-changed', hostname })
  }

  resync(): void {
    this.#tell({ kind: 'resync' })
  }

  useTicketKeys(keys: readonly TicketKey[]): void {
    this.#orders = { ...this.#orders, ticketKeys: keys }
    this.#tell({ kind: 'ticket-keys', keys })
  }

  async useKeyRing(keyRing: KeyRing): Promise<void> {
    // First, so that a worker which replaces another one from now on starts with them.
    this.#orders = { ...this.#orders, keyRing }
    await Promise.all([...this.#alive].map((worker) => this.#giveKeysOrGone(worker, keyRing)))
  }

  setLogLevel(level: LogOptions['level']): void {
    this.#orders = { ...this.#orders, log: { ...this.#orders.log, level } }
    this.#tell({ kind: 'log-level', level })
  }

  async confirm(hostname: Hostname, serial: string): Promise<boolean> {
    if (this.#serving.size === 0) return false
    const asked = [...this.#serving].map((worker) => this.#confirmOrGone(worker, hostname, serial))
    return (await Promise.all(asked)).every(Boolean)
  }

  async rehearse(hostname: Hostname, certificateId: string): Promise<RehearsalOutcome> {
    if (this.#serving.size === 0) return { kind: 'unanswered', why: 'No edge worker is serving' }
    const outcomes = await Promise.all(
      [...this.#serving].map((worker) => this.#rehearseOrGone(worker, hostname, certificateId)),
    )
    return (
      outcomes.find(({ kind }) => kind === 'failed') ??
      outcomes.find(({ kind }) => kind === 'unanswered') ?? { kind: 'went-well' }
    )
  }

  async visits(): Promise<Visits> {
    const all = await this.#askAll((worker) => worker.visits())
    return {
      hostnames: [...new Set(all.flatMap(({ hostnames }) => hostnames))],
      lacking: [...new Set(all.flatMap(({ lacking }) => lacking))],
    }
  }

  troubles(): readonly EdgeTrouble[] {
    return [...this.#serving].flatMap((worker) => worker.troubles())
  }

  remarks(): readonly EdgeTrouble[] {
    const { serving, wanted } = this.count()
    // With none at all the node is not ready, which says it all.
    const missing = serving > 0 && serving < wanted ? [workersMissing({ serving, wanted })] : []
    return [...missing, ...[...this.#serving].flatMap((worker) => worker.remarks())]
  }

  shortages(): readonly Shortage[] {
    return [...new Set([...this.#serving].flatMap((worker) => worker.shortages()))]
  }

  async metrics(): Promise<readonly MetricsSnapshot[]> {
    await this.#askAll(async (worker) => this.#counts.note(worker, await worker.metrics()))
    return this.#counts.all()
  }

  /** The answers of those that give one. */
  async #askAll<Answer>(
    ask: (worker: WorkerProcess) => Promise<Answer>,
  ): Promise<readonly Answer[]> {
    const asked = await Promise.allSettled([...this.#serving].map(ask))
    return asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ending ??= this.#end()
    return this.#ending
  }

  async #end(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([...this.#alive].map((worker) => this.#drain(worker)))
    await Promise.all(this.#keepers)
  }

  #tell(message: Parameters<WorkerProcess['tell']>[0]): void {
    for (const worker of this.#alive) worker.tell(message)
  }

  /** A worker that died meanwhile serves nothing wrong, and its successor reads the store. */
  async #confirmOrGone(
    worker: WorkerProcess,
    hostname: Hostname,
    serial: string,
  ): Promise<boolean> {
    try {
      return await worker.confirm(hostname, serial)
    } catch (error) {
      if (!this.#serving.has(worker)) return true
      this.#deps.record.confirmationFailed({ hostname, error })
      return false
    }
  }

  async #giveKeysOrGone(worker: WorkerProcess, keyRing: KeyRing): Promise<void> {
    const exported = exportKeyRing(keyRing)
    const taking = worker.useKeyRing(exported)
    for (const { bytes } of exported.keys) bytes.fill(0)
    try {
      await taking
    } catch (error) {
      if (this.#alive.has(worker)) throw error
    }
  }

  async #rehearseOrGone(
    worker: WorkerProcess,
    hostname: Hostname,
    certificateId: string,
  ): Promise<RehearsalOutcome> {
    try {
      return await worker.rehearse(hostname, certificateId)
    } catch (error) {
      if (!this.#serving.has(worker)) return { kind: 'went-well' }
      this.#deps.record.confirmationFailed({ hostname, error })
      return { kind: 'unanswered', why: 'An edge worker could not say whether it would serve it' }
    }
  }

  /** One that answers nobody is ended, which has it replaced. */
  #watch(worker: WorkerProcess): void {
    const { clock, record } = this.#deps
    const gone = new AbortController()
    void worker.gone.then(() => gone.abort())
    const watching = watchWorker(
      worker,
      {
        clock,
        onAnswer: (snapshot) => this.#counts.note(worker, snapshot),
        onStuck: ({ unansweredPolls }) => {
          record.workerStuck({ pid: worker.pid, unansweredPolls })
          worker.kill()
        },
      },
      AbortSignal.any([gone.signal, this.#stopping.signal]),
    )
    watching.catch((error: unknown) =>
      record.backgroundFailed({ loop: 'watching an edge worker', error }),
    )
  }

  /** Waits for the end of a worker and puts another in its place, until the fleet stops. */
  async #keepAlive(first: WorkerProcess): Promise<void> {
    const { clock, record } = this.#deps
    let quickDeaths = 0
    for (let worker: WorkerProcess | undefined = first; worker; ) {
      const bornMs = clock.monotonicMs()
      const end = await worker.gone
      this.#serving.delete(worker)
      this.#alive.delete(worker)
      this.#counts.bury(worker)
      if (this.#stopping.signal.aborted) return
      record.workerDied({ pid: worker.pid, ...end })
      quickDeaths = clock.monotonicMs() - bornMs > HEALTHY_LIFE_MS ? 0 : quickDeaths + 1
      worker = await this.#replaceSomehow(respawnPauseMs(quickDeaths))
    }
  }

  /** A machine without memory for a process may have some later: tries until it does. */
  async #replaceSomehow(pauseMs: number): Promise<WorkerProcess | undefined> {
    for (;;) {
      try {
        return await this.#replace(pauseMs)
      } catch (error) {
        this.#deps.record.workerCannotStart({ error })
        await this.#pause(RESPAWN_PAUSE_MS_MAX)
      }
    }
  }

  /** The next worker in that place, dead or alive; `undefined` once the fleet stops. */
  async #replace(pauseMs: number): Promise<WorkerProcess | undefined> {
    const { record } = this.#deps
    await this.#pause(pauseMs)
    if (this.#stopping.signal.aborted) return undefined
    const worker = spawnWorker(this.#deps.variables)
    this.#alive.add(worker)
    try {
      await startWorker(worker, this.#orders)
      this.#serving.add(worker)
      this.#watch(worker)
      record.workerReplaced({ pid: worker.pid })
    } catch (error) {
      worker.kill()
      record.workerCannotStart({ error })
    }
    return worker
  }

  async #pause(ms: number): Promise<void> {
    await this.#deps.clock.sleep(ms, this.#stopping.signal).catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) throw error
    })
  }

  async #drain(worker: WorkerProcess): Promise<void> {
    const done = new AbortController()
    const late = this.#deps.clock.sleep(DRAIN_MS_MAX, done.signal).then(
      () => worker.kill(),
      (error: unknown) => {
        if (!done.signal.aborted) throw error
      },
    )
    worker.tell({ kind: 'drain' })
    await worker.gone
    done.abort()
    await late
  }
}

function workersMissing({ serving, wanted }: ReturnType<EdgeFleet['count']>): EdgeTrouble {
  return {
    code: 'edge/workers-missing',
    sentence: `Only ${serving} of ${wanted} edge workers serve`,
    fix: 'Read the log for edge-worker-died and edge-worker-cannot-start; they are started again by themselves.',
  }
}

function respawnPauseMs(quickDeaths: number): number {
  if (quickDeaths <= 1) return 0
  return Math.min(RESPAWN_PAUSE_MS * 2 ** (quickDeaths - 2), RESPAWN_PAUSE_MS_MAX)
}
