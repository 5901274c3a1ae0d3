import {
  historyPageSchema,
  hitPageSchema,
  hostSchema,
  signedLinkSchema,
  type WireHost,
} from '../../api/native/contract.ts'
import type { Clock } from '../../kernel/index.ts'
import { callApi, type DemoServer, hostWhen } from './demo-api.ts'
import { DemoError } from './demo-error.ts'
import { visit } from './visit.ts'

interface StoryDeps {
  readonly server: DemoServer
  readonly dns: { setCname(host: string, target: string): Promise<void> }
  readonly say: (sentence: string) => void
  readonly clock: Clock
  readonly host: string
  readonly edgeName: string
}

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
  const follow = (url: string) => visit(url, { port: server.httpsPort, rootsPem })
  const target = 'https://customer.test/welcome?from=mail'

  const click = (await sign({ kind: 'click', target, reference: 'demo-1' })).url
  const clicked = await follow(click)
  say(`click  ${click.slice(0, 60)}…`)
  say(`  ${clicked.status} to ${clicked.location}, ${clicked.tls}, certificate verified`)

  const opened = await follow((await sign({ kind: 'open', reference: 'demo-1' })).url)
  say(`open   ${opened.status} ${opened.type}, ${opened.bytes} bytes`)

  const forged = await follow(`${click.slice(0, -1)}${click.endsWith('A') ? 'B' : 'A'}`)
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
