import type { Certificate } from '../certs/index.ts'
import {
  type AddressSight,
  type HistoryDraft,
  isOver,
  judgeRegularLook,
  type RegularFacts,
} from '../hosts/index.ts'
import { after, type Hostname, milliseconds, minutes, type Reason } from '../kernel/index.ts'
import { type DnsAnswer, isPrivateAddress, sameAddress } from '../net/index.ts'
import { CEASED, OWN_IS_OVER } from './lack-reasons.ts'
import { ADDRESSES_MAX, askAddresses, type LookSettings } from './look.ts'
import { noteTrouble, returned } from './note-look.ts'
import type { LifecycleDeps } from './ports.ts'
import { confirmServed } from './put-to-use.ts'
import { walkToEdge } from './walk-cnames.ts'
import type { Work } from './work.ts'

/**
 * Looks at a host with which nothing is due: does it still lead here, and do visitors get what we
 * serve? A few questions and a handshake, no token and no write but for what is news.
 */
export async function lookRegularly(work: Work, current: Certificate): Promise<boolean> {
  const { deps, settings, signal, onLooked, witness } = work
  // A clock that jumps makes everything due at once; and what it makes of looks means nothing.
  if (work.via === 'due' && !witness.believes(await witness.ask())) return putOff(work)
  const facts = await gather(deps, current, { settings: settings.look, signal })
  const judgement = judgeRegularLook(facts)
  onLooked()
  switch (judgement.kind) {
    case 'well':
      return noteWell(work, current, judgement.checks)
    case 'trouble':
      await noteTrouble(work, judgement, { current, isDue: false })
      return false
    case 'mismatch': {
      const { reason, checks } = judgement
      await noteMismatch(work, { reason, checks, life: current })
      return false
    }
  }
}

async function putOff({ deps, story }: Work): Promise<false> {
  const until = after(deps.clock.now(), milliseconds(PUT_OFF_FOR * (1 + deps.random.fraction())))
  await story.move({ kind: 'put-off', until }, NOTHING_TO_TELL)
  return false
}

/** Until a CA has said what time it is. */
const PUT_OFF_FOR = minutes(30)

async function noteWell(work: Work, current: Certificate, checks: RegularChecks): Promise<boolean> {
  const { story } = work
  const { host } = story
  const lack = lackOf(work, current)
  if (lack) {
    await noteLack(work, lack, checks)
    return false
  }
  if (host.state === 'active' && !host.leftAt) {
    await story.move({ kind: 'looked', checks, life: current }, NOTHING_TO_TELL)
    return false
  }
  // https is promised anew only when every edge has shown that it is served.
  if (host.leftAt) story.note(returned())
  return confirmServed(work, { certificate: current, previous: current })
}

/** Why the certificate in use does not do, although no CA is to be asked for another. */
function lackOf({ deps, story, witness }: Work, current: Certificate): Reason | undefined {
  const { certificateFrom, ceasedAt } = story.host
  if (ceasedAt) return CEASED
  const isEnded = witness.believes() && isOver(current, deps.clock.now())
  return certificateFrom === 'customer' && isEnded ? OWN_IS_OVER : undefined
}

async function noteLack({ story }: Work, reason: Reason, checks: RegularChecks): Promise<void> {
  const { code, sentence } = reason
  const { host } = story
  const draft: HistoryDraft = { step: 'look', outcome: 'failed', code, sentence }
  const history = host.reason?.code === code ? [] : [draft]
  // Who has had it revoked knows.
  const tell = host.ceasedAt ? undefined : ({ kind: 'failing', draft } as const)
  await story.move({ kind: 'lacking', reason, checks }, { history, lease: 'release', tell })
}

type RegularChecks = ReturnType<typeof judgeRegularLook>['checks']

const NOTHING_TO_TELL = { history: [], lease: 'release' } as const

async function noteMismatch(
  { story }: Work,
  {
    reason,
    checks,
    life,
  }: { readonly reason: Reason; readonly checks: RegularChecks; readonly life: Certificate },
): Promise<void> {
  const { code, sentence } = reason
  const draft: HistoryDraft = { step: 'look', outcome: 'failed', code, sentence }
  const isNews = story.host.reason?.code !== code
  await story.move(
    { kind: 'mismatched', reason, checks, life },
    {
      ...{ history: isNews ? [draft] : [], lease: 'release' },
      tell: { kind: 'mismatch', draft },
    },
  )
}

type GatherDeps = Pick<LifecycleDeps, 'resolver' | 'probeTls' | 'clock'>

interface GatherContext {
  readonly settings: LookSettings
  readonly signal: AbortSignal
}

async function gather(
  deps: GatherDeps,
  { hostname, serial, notAfter }: Certificate,
  context: GatherContext,
): Promise<RegularFacts> {
  const { resolver } = deps
  const { edgeName } = context.settings
  const { signal } = context
  const [chain, addresses, edgeAddresses] = await Promise.all([
    walkToEdge(resolver, { hostname, edgeName }, signal),
    askAddresses(resolver, hostname, signal),
    askAddresses(resolver, edgeName, signal),
  ])
  const ours = [...foundIn(edgeAddresses.a), ...foundIn(edgeAddresses.aaaa)]
  const all = [...foundIn(addresses.aaaa), ...foundIn(addresses.a)].slice(0, ADDRESSES_MAX)
  // What customers put into DNS must not make us connect to our own surroundings.
  const outside = all.filter(
    (address) => !isPrivateAddress(address) || ours.some((one) => sameAddress(one, address)),
  )
  // A handshake with a host whose certificate is over would look like a visitor who needs one.
  const mayShake = chain.targets.includes(edgeName) && notAfter > deps.clock.now()
  const sights = mayShake
    ? await Promise.all(outside.map((address) => shakeHands(deps, { address, hostname }, context)))
    : []
  return { hostname, edgeName, chain, addresses, edgeAddresses, sights, serial }
}

/** All ports at once. */
async function shakeHands(
  { probeTls }: GatherDeps,
  { address, hostname }: { readonly address: string; readonly hostname: Hostname },
  { settings, signal }: GatherContext,
): Promise<AddressSight> {
  const ports = [...new Set([HTTPS_PORT, ...settings.httpsPorts])]
  const shown = await Promise.all(
    ports.map(async (port) => {
      const sight = await probeTls({ address, port, hostname }, signal)
      return { port, certificate: sight.kind === 'shown' ? sight : undefined }
    }),
  )
  return { address, shown }
}

/** Where visitors come. */
const HTTPS_PORT = 443

function foundIn(answer: DnsAnswer<string>): readonly string[] {
  return answer.kind === 'found' ? answer.records : []
}
