import { readFile } from 'node:fs/promises'
import { childrenOf } from './clients.ts'
import { eventually, type RunningPostern, type StartOptions, startPostern } from './postern.ts'
import { startTestAuthority } from './test-authority.ts'
import { visit } from './visitors.ts'

/** The shipped program with one host that has a certificate, and a link to follow. */
export interface LimitsWorld extends AsyncDisposable {
  readonly postern: RunningPostern
  readonly host: string
  readonly target: string
  /** Process ids of its edge workers. */
  workers(): Promise<readonly number[]>
  /** The sum of a metric's samples whose line holds all of `words`. */
  metric(name: string, ...words: string[]): Promise<number>
}

const HOST = 'email.customer.test'

export async function openLimitsWorld(options: StartOptions = {}): Promise<LimitsWorld> {
  await using opening = new AsyncDisposableStack()
  const authority = opening.use(await startTestAuthority())
  const postern = opening.use(
    await startPostern({
      ...options,
      settings: { ...authority.settings, 'edge.workers': 1, ...options.settings },
    }),
  )
  await authority.dns.setCname(HOST, authority.edgeName)
  await postern.api('/hosts', { method: 'POST', body: { host: HOST } })
  await eventually(
    async () => (await postern.api(`/hosts/${HOST}`)).body,
    ({ httpsSafe }) => httpsSafe,
    60_000,
  )
  const body = { host: HOST, kind: 'click', target: 'https://shop.example/', reference: 'mail' }
  const link = await postern.api('/links', { method: 'POST', body })
  const target = new URL(link.body.url).pathname
  await visit({ port: postern.httpsPort }, HOST, target)
  const open = opening.move()
  return {
    ...{ postern, host: HOST, target },
    workers: () => childrenOf(postern.child.pid ?? 0),
    metric: async (name, ...words) => {
      const { origin } = new URL(postern.apiUrl)
      const headers = { authorization: `Bearer ${postern.adminKey}` }
      const text = await (await fetch(`${origin}/metrics`, { headers })).text()
      return text
        .split('\n')
        .filter(
          (line) => line.startsWith(`postern_${name}`) && words.every((w) => line.includes(w)),
        )
        .reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

/** Memory of a process that is in use, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}

/** Processor time that a process has used, in milliseconds. */
export async function processorMs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}
