import { type ChildProcess, fork } from 'node:child_process'
import type { EdgeBound, RehearsalOutcome, Visits } from '../../edge/index.ts'
import type { Hostname } from '../../kernel/index.ts'
import type { MetricsSnapshot, Shortage } from '../../telemetry/index.ts'
import type { ExportedKeyRing } from '../../vault/index.ts'
import { AppStartError } from '../errors.ts'
import type { EdgeTrouble } from './edge-fleet.ts'
import type {
  EdgeStart,
  StartFailure,
  ToSupervisor,
  ToWorker,
  WorkerAnswer,
  WorkerRequest,
  WorkerSaid,
} from './edge-protocol.ts'
import { createShortageBook } from './shortages.ts'
import { readMachine, workersByDefault } from './worker-number.ts'

/** An edge worker as its supervisor sees it: a process that is told things and asked things. */
export interface WorkerProcess {
  readonly pid: number | undefined
  /** Sends the orders and resolves when it listens. Rejects if it cannot, or dies before. */
  start(start: EdgeStart): Promise<EdgeBound>
  tell(message: Exclude<ToWorker, { kind: 'start' | 'request' | 'key-ring' }>): void
  confirm(hostname: Hostname, serial: string): Promise<boolean>
  rehearse(hostname: Hostname, certificateId: string): Promise<RehearsalOutcome>
  visits(): Promise<Visits>
  metrics(): Promise<MetricsSnapshot>
  /** What it said was wrong with it. */
  troubles(): readonly EdgeTrouble[]
  /** What it said is worth knowing. */
  remarks(): readonly EdgeTrouble[]
  /** What it has too little of now. */
  shortages(): readonly Shortage[]
  /** Resolves when it has taken the keys, which may be after its start. */
  useKeyRing(keyRing: ExportedKeyRing): Promise<void>
  /** Resolves when the process is gone, however it went. */
  readonly gone: Promise<WorkerEnd>
  kill(): void
}

export interface WorkerEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it said was wrong, if it could still say so. */
  readonly failure?: StartFailure | undefined
}

/** A confirmation is a handshake inside the process; a worker that takes longer is stuck. */
const ANSWER_MS_MAX = 5_000
/** One that is just starting has to load its sources first. */
const STARTED_MS_MAX = 30_000

/** What a worker inherits. Settings and secrets are not among it: they come over the channel. */
const INHERITED = [
  ...['PATH', 'HOME', 'LANG', 'TZ', 'NODE_COMPILE_CACHE', 'NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS'],
  // A preloaded allocator or libfaketime has to reach every process, or none.
  ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'FAKETIME', 'DONT_FAKE_MONOTONIC'],
]

/** V8's own bound grows with the machine, to 4 GB; an edge with all its connections fits into this. */
const HEAP_MEGABYTES_MAX = 768
/** What a worker needs to start and serve a few hundred. */
const HEAP_MEGABYTES_MIN = 64
/** Of a process's share of the memory: the rest is OpenSSL's, and the kernel's buffers. */
const HEAP_SHARE = 1 / 2

/** From 85 % of it on the edge lets nobody new in: V8 ends a process that needs more. */
function heapBound(variables: Variables): readonly string[] {
  // Whoever has set it knows why.
  if (/--max[-_]old[-_]space/.test(variables.read('NODE_OPTIONS') ?? '')) return []
  const machine = readMachine()
  // Settings are not read yet: by default there are so many workers, and this process.
  const share = machine.memoryBytes / (workersByDefault(machine) + 1) / 2 ** 20
  const megabytes = Math.floor(share * HEAP_SHARE)
  const bound = Math.max(HEAP_MEGABYTES_MIN, Math.min(megabytes, HEAP_MEGABYTES_MAX))
  return [`--max-old-space-size=${bound}`]
}

/** Where a worker's environment is taken from. */
export interface Variables {
  read(name: string): string | undefined
}

function forkWorker(variables: Variables): ChildProcess {
  return fork(new URL('../edge-worker.ts', import.meta.url), {
    serialization: 'advanced',
    execArgv: [
      ...['--disable-sigusr1', '--report-exclude-env'],
      // What an edge allocates dies young: a small nursery saves memory in every worker.
      ...['--max-semi-space-size=8', ...heapBound(variables)],
    ],
    env: Object.fromEntries(INHERITED.map((name) => [name, variables.read(name)])),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}

/** Starts loading the sources at once: `start` may come when the store and the keys are ready. */
export function spawnWorker(variables: Variables): WorkerProcess {
  const child = forkWorker(variables)
  const replies = createReplies()
  const listening = Promise.withResolvers<EdgeBound>()
  const gone = Promise.withResolvers<WorkerEnd>()
  const troubles: EdgeTrouble[] = []
  const remarks: EdgeTrouble[] = []
  const shortages = createShortageBook()
  let failure: StartFailure | undefined
  // Nobody may be waiting for it any more when the process dies.
  listening.promise.catch(() => undefined)

  child.on('message', (message: ToSupervisor) => {
    if (message.kind === 'listening') listening.resolve(message.bound)
    if (message.kind === 'cannot-start') {
      failure = message.failure
      listening.reject(new AppStartError(failure))
    }
    if (message.kind === 'trouble') troubles.push(message.trouble)
    if (message.kind === 'remark') remarks.push(message.remark)
    if (message.kind === 'shortage') shortages[message.state](message.of)
    if (message.kind === 'reply') replies.settle(message.id, message.answer)
  })
  const end = (code: number | null, signal: NodeJS.Signals | null): void => {
    const why = `An edge worker ended before it listened (${signal ?? `exit code ${code}`})`
    listening.reject(new AppStartError({ code: 'app/worker-died', message: why, fix: SEE_LOG }))
    replies.abandon()
    gone.resolve({ code, signal, failure })
  }
  child.once('exit', end)
  // Also what a failed kill or send emits; only one that never lived has ended by it.
  child.on('error', () => {
    if (child.pid === undefined) end(null, null)
  })

  const ask = (request: WorkerRequest): Promise<WorkerSaid> =>
    replies.expect((id) => send(child, { kind: 'request', id, ...request }))
  return {
    pid: child.pid,
    start: (start) => {
      send(child, { kind: 'start', start })
      return listening.promise
    },
    tell: (message) => send(child, message),
    confirm: async (hostname, serial) => {
      const said = await ask({ ask: 'confirm', hostname, serial })
      return said.to === 'confirm' && said.value
    },
    rehearse: async (hostname, certificateId) => {
      const said = await ask({ ask: 'rehearse', hostname, certificateId })
      return said.to === 'rehearse' ? said.value : beside(said)
    },
    visits: async () => {
      const said = await ask({ ask: 'visits' })
      return said.to === 'visits' ? said.value : beside(said)
    },
    metrics: async () => {
      const said = await ask({ ask: 'metrics' })
      return said.to === 'metrics' ? said.value : beside(said)
    },
    troubles: () => troubles,
    remarks: () => remarks,
    shortages: shortages.current,
    useKeyRing: async (keyRing) => {
      await replies.expect((id) => send(child, { kind: 'key-ring', id, keyRing }), STARTED_MS_MAX)
    },
    gone: gone.promise,
    kill: () => void child.kill('SIGKILL'),
  }
}

const SEE_LOG = 'Read the log lines of the process "edge" above this one.'

function beside({ to }: WorkerSaid): never {
  throw new TypeError(`An edge worker answered to '${to}', which it was not asked`)
}

/** A message to a process that is just dying is lost with it: its successor reads the store. */
function send(child: ChildProcess, message: ToWorker): void {
  if (child.connected) child.send(message, () => undefined)
}

/** Requests under way to one worker, each with a deadline. */
function createReplies() {
  const waiting = new Map<number, (answer: WorkerAnswer) => void>()
  let lastId = 0
  return {
    expect: (sendRequest: (id: number) => void, msMax = ANSWER_MS_MAX): Promise<WorkerSaid> => {
      lastId += 1
      const id = lastId
      return new Promise((resolve, reject) => {
        const deadline = setTimeout(() => {
          waiting.delete(id)
          reject(new Error(`An edge worker did not answer within ${msMax} ms`))
        }, msMax)
        waiting.set(id, (answer) => {
          clearTimeout(deadline)
          if (answer.ok) resolve(answer.said)
          else reject(new Error(answer.message))
        })
        sendRequest(id)
      })
    },
    settle: (id: number, answer: WorkerAnswer): void => {
      waiting.get(id)?.(answer)
      waiting.delete(id)
    },
    abandon: (): void => {
      for (const settle of waiting.values()) {
        settle({ ok: false, message: 'The edge worker is gone' })
      }
      waiting.clear()
    },
  }
}
