import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { z } from 'zod'
import { onCore } from '../support/cores.ts'

const run = promisify(execFile)

export type LoadMode = 'keep-alive' | 'full' | 'resumed' | 'single-use'

export interface Load {
  /** The compiled load client. */
  readonly client: string
  readonly mode: LoadMode
  readonly port: number
  readonly targetsFile: string
  /** Verifies the certificate of each host once before. */
  readonly caFile?: string | undefined
  readonly method?: 'GET' | 'HEAD'
  readonly visitors?: number
  readonly status?: number
  readonly warmupSeconds: number
  readonly seconds: number
  /** Ends earlier, once there were so many. */
  readonly operationsMax?: number
  /** Processes whose CPU time is measured. */
  readonly pids: readonly number[]
}

/** What the visitors of one run saw, and what it cost the server. */
export interface LoadReport {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of the handshakes after each visitor's first, how many resumed. */
  readonly resumedShare: number
  /** CPU time per operation of each process asked for, in µs. */
  readonly cpuUs: readonly number[]
  /** How busy the client's own core was with it: near 1 the client is the limit. */
  readonly clientShare: number
}

const reportSchema = z.object({
  spanUs: z.number(),
  operations: z.number(),
  handshakes: z.number(),
  firstVisits: z.number(),
  resumed: z.number(),
  failures: z.number(),
  wrongStatus: z.number(),
  firstFailure: z.string(),
  p50Us: z.number(),
  p99Us: z.number(),
  clientCpuUs: z.number(),
  cpuUs: z.array(z.number()),
})

/** As a browser that follows a link asks; the same to every server. */
const VISITOR_HEADERS = [
  'User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language: en-GB,en;q=0.9',
  'Accept-Encoding: gzip, deflate, br',
]

/** One "hostname path" a line, as the load client reads them. */
export async function writeTargets(
  file: string,
  targets: readonly { readonly hostname: string; readonly path: string }[],
): Promise<string> {
  await writeFile(file, targets.map(({ hostname, path }) => `${hostname} ${path}\n`).join(''))
  return file
}

/** More of all operations than this must not fail: then the rest is no measurement. */
const FAILED_SHARE_MAX = 0.001

/** By then V8 has compiled what is used; a server that runs for weeks is measured, not its start. */
const WARM_AFTER = {
  'keep-alive': 60_000,
  full: 4_000,
  resumed: 3_000,
  'single-use': 2_000,
} as const
/**
 * Lets a server become warm before its first round, for at most `load.seconds`: on a crowded machine
 * it does not become so in that time.
 */
export async function warmUp(load: Omit<Load, 'warmupSeconds' | 'pids'>): Promise<void> {
  const operationsMax = WARM_AFTER[load.mode]
  await runLoad({ ...load, warmupSeconds: 0, pids: [], operationsMax })
}

/** Runs the load client once. Throws if answers were wrong, or more than a few failed. */
export async function runLoad(load: Load): Promise<LoadReport> {
  const [program, args] = onCore('others', load.client, argumentsOf(load))
  const { stdout } = await run(program, [...args])
  const seen = reportSchema.parse(JSON.parse(stdout))
  const { operations, failures, wrongStatus } = seen
  if (operations === 0 || wrongStatus > 0 || failures > operations * FAILED_SHARE_MAX) {
    throw new Error(
      `${load.mode}: ${operations} answers, ${wrongStatus} with a wrong status, ${failures} failures (${seen.firstFailure})`,
    )
  }
  const returns = seen.handshakes - seen.firstVisits
  return {
    perSecond: (operations * 1e6) / seen.spanUs,
    p50Ms: seen.p50Us / 1000,
    p99Ms: seen.p99Us / 1000,
    resumedShare: returns === 0 ? 0 : seen.resumed / returns,
    cpuUs: seen.cpuUs.map((us) => us / operations),
    clientShare: seen.clientCpuUs / seen.spanUs,
  }
}

function argumentsOf(load: Load): readonly string[] {
  return [
    ...['--mode', load.mode, '--port', String(load.port), '--targets', load.targetsFile],
    ...(load.caFile ? ['--ca', load.caFile] : []),
    ...['--method', load.method ?? 'GET', '--status', String(load.status ?? 302)],
    ...['--visitors', String(load.visitors ?? 64)],
    ...['--warmup', String(load.warmupSeconds), '--seconds', String(load.seconds)],
    ...(load.operationsMax === undefined ? [] : ['--operations', String(load.operationsMax)]),
    ...VISITOR_HEADERS.flatMap((line) => ['--header', line]),
    ...load.pids.flatMap((pid) => ['--pid', String(pid)]),
  ]
}
