import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import type { z } from 'zod'
import {
  historyPageSchema,
  hitPageSchema,
  hostSchema,
  signedLinkSchema,
  type WireHost,
} from '../../api/native/contract.ts'
import type { Clock, Redacted } from '../../kernel/index.ts'
import { DemoError } from './demo-error.ts'

/** The running Postern, as a stranger sees it. */
export interface DemoServer extends AsyncDisposable {
  readonly httpsPort: number
  readonly apiUrl: string
  readonly adminKey: Redacted<string>
}

interface StoryDeps {
  readonly server: DemoServer
  readonly dns: { setCname(host: string, target: string): Promise<void> }
  readonly say: (sentence: string) => void
  readonly clock: Clock
  readonly host: string
  readonly edgeName: string
}

/** Locally it takes a quarter of a second; a minute means that something is wrong. */
const STORY_MS_MAX = 60_000
const LOOK_EVERY_MS = 10

/** Adds a host, shows why it waits, sets its CNAME, and tells each step until the padlock. */
export async function tellHostStory(deps: StoryDeps, signal: AbortSignal): Promise<void> {
  const { server, dns, say, clock, host, edgeName } = deps
  await callApi(server, '/hosts', hostSchema, { host })
  say(`POST /api/v1/hosts {"host":"${host}"}`)
  const waiting = await hostWhen(deps, ({ reason }) => reason !== null, signal)
  say(`${waiting.state}, ${waiting.reason?.code}: ${waiting.reason?.sentence}`)
  say(`  the fix it names: ${waiting.reason?.fix}`)

  await dns.setCname(host, edgeName)
  say(`DNS: ${host} CNAME ${edgeName}`)
  const setMs = clock.monotonicMs()
  await callApi(server, `/hosts/${host}/check`, hostSchema, {})
  const active = await hostWhen(deps, ({ httpsSafe }) => httpsSafe, signal)
  const history = await callApi(server, `/hosts/${host}/history?limit=100`, historyPageSchema)
  for (const { step, outcome, sentence } of history.items.slice(2)) {
    say(`  ${step}: ${outcome}. ${sentence}`)
  }
  const ms = Math.round(clock.monotonicMs() - setMs)
  say(`${active.state}, ${ms} ms after the CNAME appeared: certificate ${serialOf(active)},`)
  say(`  until ${active.certificate?.notAfter}, to be renewed ${active.certificate?.renewAt}`)
}

interface LinkDeps {
  readonly server: DemoServer
  readonly rootsPem: string
  readonly say: (sentence: string) => void
  readonly host: string
}

/** Follows a click and an open as a mail reader would, tries a forged link, and shows the hits. */
export async function followLinks({
  server,
  rootsPem,
  say,
  host,
}: LinkDeps): Promise<{ readonly click: string }> {
  const sign = (link: object) => callApi(server, '/links', signedLinkSchema, { host, ...link })
  const visit = (url: string) => get(url, server.httpsPort, rootsPem)
  const target = 'https://customer.test/welcome?from=mail'

  const click = (await sign({ kind: 'click', target, reference: 'demo-1' })).url
  const clicked = await visit(click)
  say(`click  ${click.slice(0, 60)}…`)
  say(`  ${clicked.status} to ${clicked.location}, ${clicked.tls}, certificate verified`)

  const opened = await visit((await sign({ kind: 'open', reference: 'demo-1' })).url)
  say(`open   ${opened.status} ${opened.type}, ${opened.bytes} bytes`)

  const forged = await visit(`${click.slice(0, -1)}${click.endsWith('A') ? 'B' : 'A'}`)
  say(`forged ${forged.status}: one changed character, and nobody is sent anywhere`)

  const hits = await callApi(server, `/hits?host=${host}`, hitPageSchema)
  say(`recorded: ${hits.items.map(({ kind }) => kind).join(', ')}`)
  const isRight = clicked.location === target && opened.status === 200 && forged.status === 404
  if (!isRight || hits.items.length !== 2) {
    throw new DemoError('demo/not-as-promised', 'A link did not do what it should (see above)')
  }
  return { click }
}

function serialOf({ certificate }: WireHost): string {
  return certificate ? `${certificate.serial.slice(0, 16)} by ${certificate.issuer}` : 'none'
}

async function hostWhen(
  { server, clock, host }: StoryDeps,
  isSo: (host: WireHost) => boolean,
  signal: AbortSignal,
): Promise<WireHost> {
  const deadline = clock.monotonicMs() + STORY_MS_MAX
  for (;;) {
    const seen = await callApi(server, `/hosts/${host}`, hostSchema)
    if (isSo(seen)) return seen
    if (clock.monotonicMs() > deadline) {
      const why = seen.reason?.sentence ?? 'no reason given'
      throw new DemoError('demo/not-as-promised', `${host} is still ${seen.state}: ${why}`)
    }
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}

/** One call of the native API; a body makes it a POST. */
async function callApi<Schema extends z.ZodType>(
  { apiUrl, adminKey }: DemoServer,
  path: string,
  schema: Schema,
  body?: object,
): Promise<z.output<Schema>> {
  const answer = await fetch(`${apiUrl}/api/v1${path}`, {
    headers: { authorization: `Bearer ${adminKey.reveal()}`, 'content-type': 'application/json' },
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(STORY_MS_MAX),
  })
  const said: unknown = await answer.json()
  if (!answer.ok) {
    throw new DemoError('demo/not-as-promised', `${path}: ${answer.status} ${JSON.stringify(said)}`)
  }
  return schema.parse(said)
}

interface Visit {
  readonly status: number | undefined
  readonly location: string | undefined
  readonly type: string | undefined
  readonly bytes: number
  readonly tls: string
}

/** Visits a URL on this machine, with the certificate verified for the URL's own name. */
async function get(url: string, port: number, ca: string): Promise<Visit> {
  const { hostname, pathname } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<Visit>()
  const asking = request(
    {
      ...{ host: '127.0.0.1', port, path: pathname, servername: hostname, ca, agent: false },
      headers: { host: hostname, 'user-agent': 'postern-demo' },
      signal: AbortSignal.timeout(STORY_MS_MAX),
    },
    (response) => {
      const socket: unknown = response.socket
      const tls = isTls(socket) ? `${socket.getProtocol()} ${socket.getCipher().name}` : 'no TLS'
      const { location, 'content-type': type } = response.headers
      text(response.setEncoding('latin1')).then(
        (body) => resolve({ status: response.statusCode, location, type, bytes: body.length, tls }),
        reject,
      )
    },
  )
  asking.once('error', reject)
  asking.end()
  return promise
}

function isTls(socket: unknown): socket is TLSSocket {
  return typeof socket === 'object' && socket !== null && 'getProtocol' in socket
}
