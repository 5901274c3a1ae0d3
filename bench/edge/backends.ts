import { createSecretKey, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { parseHostname } from '../../src/kernel/index.ts'
import { type LinkKey, signLink } from '../../src/tracking/index.ts'
import { freePort } from '../../test/support/test-authority.ts'
import { type ChildProgram, startProgram, untilListens } from './child-program.ts'

/** The backend behind a proxy. */
export interface BenchBackend extends AsyncDisposable {
  readonly port: number
  readonly pid: number
}

/** Always the same redirect. */
export async function startPlainBackend(program: string): Promise<BenchBackend> {
  const port = await freePort()
  return listening(port, startProgram(program, ['--port', String(port)], { core: 'others' }))
}

/** One with our own duties: it opens signed links, and redirects when the hit is on the disk. */
export interface TrackingBackend extends BenchBackend {
  signClick(hostname: string, target: string): string
}

const KEY_BYTES = 32

export async function startTrackingBackend(
  program: string,
  folder: string,
): Promise<TrackingBackend> {
  const port = await freePort()
  const secret = randomBytes(KEY_BYTES)
  const key: LinkKey = { id: 'bench-01', secret: createSecretKey(secret) }
  const args = ['--port', String(port), '--key-id', key.id, '--key', secret.toString('hex')]
  const server = startProgram(program, [...args, '--journal', join(folder, 'hits.journal')], {
    core: 'server',
  })
  return {
    ...(await listening(port, server)),
    signClick: (name, target) => {
      const hostname = parseHostname(name)
      if (!hostname) throw new TypeError(`${name} is no hostname`)
      return signLink({ hostname, kind: 'click', target, reference: 'bench' }, key)
    },
  }
}

async function listening(port: number, server: ChildProgram): Promise<BenchBackend> {
  await untilListens(port, server)
  return { port, pid: server.pid, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}
