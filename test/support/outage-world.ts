import { createSecretKey } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BackendTarget, createOwedSender } from '../../src/edge/index.ts'
import { parseWireHostname, systemClock, systemRandom } from '../../src/kernel/index.ts'
import {
  createEdgeRecord,
  createMetrics,
  createTrackingRecord,
  openLog,
} from '../../src/telemetry/index.ts'
import {
  createHitJournal,
  createHitMover,
  createHitRecorder,
  createLinkRescue,
  type Hit,
  type HitMover,
  type LinkDraft,
  type LinkKey,
  signLink,
} from '../../src/tracking/index.ts'

/** Links, a journal and what sends owed hits again: all of tracking that an outage needs. */
export interface OutageWorld extends AsyncDisposable {
  readonly target: Extract<BackendTarget, { kind: 'remote' }>
  link(draft: Omit<LinkDraft, 'hostname'> & { readonly hostname: string }): string
  /** One more attempt at what is owed, if it is time for one. */
  settle(): Promise<void>
  /** How many hits were written down for the backend. */
  noted(): number
}

export async function openOutageWorld(port: number): Promise<OutageWorld> {
  await using opening = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'postern-outage-'))
  opening.defer(() => rm(directory, { recursive: true, force: true }))
  const log = openLog({ level: 'silent', pretty: false })
  const metrics = createMetrics()
  const record = createTrackingRecord({ log, metrics })
  const outside = { clock: systemClock, random: systemRandom, record }
  const place = { directory, kind: 'owed' } as const
  const key: LinkKey = { id: 'AAAAAAAA', secret: createSecretKey(Buffer.alloc(32, 7)) }
  const keys = { all: () => new Map([[key.id, key]]), refresh: async () => false }
  const targets = [{ kind: 'tcp', host: '127.0.0.1', port }] as const

  const sender = opening.use(
    createOwedSender({ record: createEdgeRecord({ log, metrics }) }, targets),
  )
  /** From the first `settle` on, so that no attempt of it holds up the test of what comes before. */
  const startMoving = () =>
    opened.use(
      createHitMover(
        {
          ...outside,
          deliver: async (hits, signal) => {
            let taken = 0
            for (const { owed, ...hit } of hits) {
              if (!owed || (await sender.send({ ...hit, ...owed }, signal)) !== 'taken') break
              taken += 1
            }
            return taken
          },
        },
        place,
      ),
    )
  const journal = opening.use(createHitJournal(outside, place))
  const hits = opening.use(createHitRecorder({ ...outside, journal }))
  let noted = 0
  const noting = {
    add: async (hit: Hit): Promise<void> => {
      await hits.add(hit)
      noted += 1
    },
  }
  const rescue = createLinkRescue({ keys, hits: noting, clock: systemClock })
  let mover: HitMover | undefined
  const opened = opening.move()
  return {
    target: { kind: 'remote', targets, rescue },
    link: ({ hostname, ...draft }) => {
      const host = parseWireHostname(hostname)
      if (!host) throw new TypeError(hostname)
      return signLink({ ...draft, hostname: host }, key)
    },
    settle: async () => {
      mover ??= startMoving()
      await mover.catchUp()
    },
    noted: () => noted,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
