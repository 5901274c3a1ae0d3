import { hostSchema } from '../../api/native/contract.ts'
import type { Clock } from '../../kernel/index.ts'
import { callApi, type DemoServer, hostWhen } from './demo-api.ts'
import { DemoError } from './demo-error.ts'
import { visit } from './visit.ts'

interface RenewalDeps {
  readonly server: DemoServer
  readonly rootsPem: string
  readonly say: (sentence: string) => void
  readonly clock: Clock
  readonly host: string
  /** A link that was sent, and must work all the time. */
  readonly click: string
}

/** Visitors at once, each on a new connection with a full handshake each time. */
const VISITORS = 4
/** Traffic before and after the renewal, so that both certificates are seen at work. */
const ASIDE_MS = 1_000

/**
 * Has a certificate replaced while visitors follow a link without a pause, and counts: each request
 * must be answered as if nothing had happened. Throws if one was not.
 */
export async function tellRenewalStory(
  { server, rootsPem, say, clock, host, click }: RenewalDeps,
  signal: AbortSignal,
): Promise<void> {
  const before = await callApi(server, `/hosts/${host}`, hostSchema)
  say(`${VISITORS} visitors follow the click, over and over, each time with a new handshake`)
  const traffic = startTraffic(() => visit(click, { port: server.httpsPort, rootsPem }))
  try {
    await clock.sleep(ASIDE_MS, signal)
    say(`POST /api/v1/hosts/${host}/renew`)
    await callApi(server, `/hosts/${host}/renew`, hostSchema, {})
    const renewed = await hostWhen(
      { server, clock, host },
      ({ certificate }) => certificate?.serial !== before.certificate?.serial,
      signal,
    )
    const { serial, renewAt } = renewed.certificate ?? {}
    say(`  replaced: ${before.certificate?.serial.slice(0, 16)} by ${serial?.slice(0, 16)},`)
    say(`  with a new key; the next renewal is planned for ${renewAt}`)
    await clock.sleep(ASIDE_MS, signal)
  } finally {
    await traffic.stop()
  }
  const { answered, failures, bySerial } = traffic
  for (const [serial, requests] of bySerial) {
    say(`  ${requests} requests were served with ${serial.slice(0, 16)}`)
  }
  say(`  ${answered} requests in all, ${failures.length} failed`)
  if (failures.length > 0 || bySerial.size !== 2) {
    const why = failures[0] ?? 'not both certificates were seen'
    throw new DemoError('demo/not-as-promised', `The renewal was noticed by visitors: ${why}`)
  }
}

interface Traffic {
  readonly answered: number
  readonly failures: readonly string[]
  /** Requests by the certificate that they met. */
  readonly bySerial: ReadonlyMap<string, number>
  stop(): Promise<void>
}

function startTraffic(follow: () => ReturnType<typeof visit>): Traffic {
  const failures: string[] = []
  const bySerial = new Map<string, number>()
  let answered = 0
  let isOver = false
  const visitor = async (): Promise<void> => {
    while (!isOver) {
      try {
        const { status, serial = 'no certificate' } = await follow()
        answered += 1
        bySerial.set(serial, (bySerial.get(serial) ?? 0) + 1)
        if (status !== REDIRECTED) failures.push(`answered with ${status}`)
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error))
      }
    }
  }
  const visitors = Array.from({ length: VISITORS }, visitor)
  return {
    get answered() {
      return answered
    },
    failures,
    bySerial,
    stop: async () => {
      isOver = true
      await Promise.all(visitors)
    },
  }
}

const REDIRECTED = 302
