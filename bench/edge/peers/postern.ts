import { type RunningPostern, startPostern } from '../../../test/support/postern.ts'
import { moveToCore } from '../../support/cores.ts'
import { treeOf } from '../../support/process-tree.ts'
import type { Peer } from './peer.ts'

/** Postern as it is shipped, with one edge worker. */
export interface PosternPeer extends Peer {
  readonly postern: RunningPostern
}

export interface PosternPlace {
  readonly name: string
  /** A store as `prepareStore` makes them. */
  readonly directory: string
  /** `edge.backend`. */
  readonly backend: string
  readonly core?: 'server'
  /** Where it listens; any free port otherwise. */
  readonly httpsPort?: number
}

/** Starts it: the worker on the measured core, the supervisor beside the load client. */
export async function startPosternPeer(place: PosternPlace): Promise<PosternPeer> {
  const startedAtMs = performance.now()
  const postern = await startPostern({
    directory: place.directory,
    settings: {
      ...{ 'edge.workers': 1, 'edge.backend': place.backend, 'edge.name': 'edge.test' },
      'edge.https': `127.0.0.1:${place.httpsPort ?? 0}`,
    },
  })
  const pids = await treeOf(postern.child.pid ?? 0)
  const worker = pids.at(-1) ?? 0
  if (place.core) {
    for (const pid of pids) await moveToCore(pid === worker ? place.core : 'others', pid)
  }
  return {
    name: place.name,
    httpsPort: postern.httpsPort,
    ...{ worker, pids, postern, startedAtMs },
    [Symbol.asyncDispose]: () => postern[Symbol.asyncDispose](),
  }
}
