/**
 * The process of one edge worker: edge, certs, hosts, challenges and tracking, and nothing that can
 * be slow. It reads no configuration: the supervisor sends all it needs over the channel. When the
 * channel closes the supervisor is gone, and so is the worker.
 */
import { on } from 'node:events'
import { flushCompileCache } from 'node:module'
import {
  AppError,
  type Hostname,
  parseWireHostname,
  systemClock,
  systemRandom,
  unreachable,
} from '../kernel/index.ts'
import { openStore, prepareStore, type Store } from '../store/index.ts'
import { createMetrics, openLog } from '../telemetry/index.ts'
import { createVault, holdKeyRing, importKeyRing, type KeyRingHolder } from '../vault/index.ts'
import { createEdgeRecords } from './edge-records.ts'
import { type EdgeMember, type EdgeMemberDeps, openEdgeMember } from './fleet/edge-member.ts'
import type {
  EdgeStart,
  ToSupervisor,
  ToWorker,
  WorkerAnswer,
  WorkerRequest,
  WorkerSaid,
} from './fleet/edge-protocol.ts'
import type { SelfTestTroubles } from './fleet/self-test-troubles.ts'

interface RunningWorker extends AsyncDisposable {
  readonly member: EdgeMember
  readonly keyRing: KeyRingHolder
  setLogLevel(level: EdgeStart['log']['level']): void
}

/** Composes the worker as it was told, and listens. */
async function startWorker({
  listen,
  ticketKeys,
  journal,
  ...start
}: EdgeStart): Promise<RunningWorker> {
  await using opening = new AsyncDisposableStack()
  const clock = systemClock
  const random = systemRandom
  const log = openLog(start.log, { process: 'edge', pid: process.pid })
  const metrics = createMetrics()
  const records = createEdgeRecords({ log, metrics })
  const keyRing = holdKeyRing(importKeyRing(start.keyRing))
  const vault = createVault(keyRing)
  const store = opening.use(
    await openStore(start.store, { clock, record: records.store, role: 'worker' }),
  )
  tellWhenHalted(store)
  const member = opening.use(
    await openEdgeMember({ store, vault, clock, random, metrics, records, shortages }, start.edge, {
      ...{ listen, ticketKeys, journal },
      sharing: 'with-other-workers',
    }),
  )
  zero(ticketKeys)
  const open = opening.move()
  return {
    ...{ member, keyRing },
    setLogLevel: (level) => log.setLevel(level),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

/** The supervisor's own store may be well all the while: each process finds out for itself. */
function tellWhenHalted({ halted }: Pick<Store, 'halted'>): void {
  const say = (): void => {
    const { reason } = halted
    const why = reason instanceof Error ? reason.message : 'its store takes no more writes'
    const fix =
      (reason instanceof AppError ? reason.fix : undefined) ??
      'Make sure that the disk is sound and has room, then restart this server.'
    const sentence = `Edge worker ${process.pid}: ${why}`
    tell({ kind: 'trouble', trouble: { code: 'store/halted', sentence, fix } })
  }
  if (halted.aborted) say()
  else halted.addEventListener('abort', say, { once: true })
}

function tellWhatFailed({ troubles, remarks }: SelfTestTroubles): void {
  for (const trouble of troubles) tell({ kind: 'trouble', trouble })
  for (const remark of remarks) tell({ kind: 'remark', remark })
}

const shortages: EdgeMemberDeps['shortages'] = {
  began: (of) => tell({ kind: 'shortage', of, state: 'began' }),
  ended: (of) => tell({ kind: 'shortage', of, state: 'ended' }),
}

function tell(message: ToSupervisor): void {
  if (process.connected) process.send?.(message)
}

async function say(member: EdgeMember, request: WorkerRequest): Promise<WorkerSaid> {
  switch (request.ask) {
    case 'metrics':
      return { to: 'metrics', value: await member.metrics() }
    case 'visits':
      return { to: 'visits', value: member.takeVisits() }
    case 'confirm':
      return {
        to: 'confirm',
        value: await member.confirm(hostnameOf(request), request.serial),
      }
    case 'rehearse':
      return {
        to: 'rehearse',
        value: await member.rehearse(hostnameOf(request), request.certificateId),
      }
    default:
      return unreachable(request)
  }
}

function hostnameOf({ hostname }: { readonly hostname: string }): Hostname {
  const parsed = parseWireHostname(hostname)
  if (parsed) return parsed
  throw new TypeError('The supervisor asked for something that is no hostname')
}

async function answer(member: EdgeMember, request: WorkerRequest): Promise<WorkerAnswer> {
  try {
    return { ok: true, said: await say(member, request) }
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) }
  }
}

/** What came over the channel is a copy, and so is what the edge has taken. */
function zero(keys: EdgeStart['ticketKeys']): void {
  for (const { bytes } of keys) bytes.fill(0)
}

/** Answers take their time beside the others; everything else is done in the order it was said. */
async function obey(
  { member, keyRing, setLogLevel }: RunningWorker,
  message: Exclude<ToWorker, { kind: 'drain' }>,
): Promise<void> {
  switch (message.kind) {
    case 'host-changed': {
      const hostname = parseWireHostname(message.hostname)
      if (hostname) member.hostChanged(hostname)
      return
    }
    case 'resync':
      return member.resync()
    case 'ticket-keys':
      member.useTicketKeys(message.keys)
      return zero(message.keys)
    case 'key-ring':
      keyRing.replace(importKeyRing(message.keyRing))
      return tell({ kind: 'reply', id: message.id, answer: { ok: true, said: { to: 'key-ring' } } })
    case 'log-level':
      return setLogLevel(message.level)
    case 'request':
      void answer(member, message).then((said) =>
        tell({ kind: 'reply', id: message.id, answer: said }),
      )
      return
    case 'prepare':
    case 'start':
      throw new TypeError('An edge worker is started once')
    default:
      return unreachable(message)
  }
}

/** Lives from `start` to `drain`, or until the supervisor is gone. A lost store ends it early. */
async function runWorker(): Promise<void> {
  // Terminal and service manager signal the whole group; the supervisor says when to drain.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined)
  // Whoever read the log is gone. Visitors are still there.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

  // Buffers what arrives while the worker starts: no notice is missed.
  const messages: AsyncIterable<ToWorker[]> = on(process, 'message', { close: ['disconnect'] })
  await using open = new AsyncDisposableStack()
  let running: RunningWorker | undefined
  for await (const [message] of messages) {
    if (!message || message.kind === 'drain') return
    if (running) {
      await obey(running, message)
    } else if (message.kind === 'prepare') {
      await prepareStore(message.store)
    } else if (message.kind === 'start') {
      running = open.use(await startWorker(message.start))
      tell({ kind: 'listening', bound: running.member.bound })
      // The next worker, perhaps after a crash of this one, finds its sources compiled.
      flushCompileCache()
      // Once it listens: nobody has to wait for it, and visitors are served in between.
      running.member.startSelfTests(tellWhatFailed)
    }
  }
}

function toFailure(error: unknown): ToSupervisor {
  if (!(error instanceof AppError)) throw error
  const { code, message, fix } = error
  return { kind: 'cannot-start', failure: { code, message, fix } }
}

try {
  await runWorker()
} catch (error) {
  process.exitCode = 1
  tell(toFailure(error))
}
if (process.connected) process.disconnect?.()
