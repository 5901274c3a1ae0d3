import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createTestCa,
  type IssuedCertificate,
  type TestCa,
} from '../../test/support/certificates.ts'
import { hostnameOf, issueCertificates, prepareStore } from '../support/prepared-store.ts'
import { startPlainBackend } from './backends.ts'
import { writeTargets } from './load.ts'
import { nativeProgram } from './native-program.ts'
import type { PeerHost } from './peers/peer.ts'
import type { PosternPeer } from './peers/postern.ts'

/** What all parts of the bench share: hosts, certificates, programs, a backend, a folder. */
export interface World {
  readonly client: string
  readonly backendProgram: string
  readonly backendPort: number
  readonly ca: TestCa
  readonly caFile: string
  readonly issued: readonly IssuedCertificate[]
  readonly hosts: readonly PeerHost[]
  /** An empty folder, gone with the bench. */
  makeFolder(name: string): Promise<string>
  /** A store for Postern with the same hosts, gone with the bench. */
  makeStore(): Promise<string>
  /** The same path at every host. */
  plainTargets(): Promise<string>
}

/** Puts it together; what it opens is closed with `open`. */
export async function createWorld(open: AsyncDisposableStack): Promise<World> {
  const client = await nativeProgram('load-client')
  const backendProgram = await nativeProgram('backend')
  const root = await mkdtemp(join(tmpdir(), 'postern-bench-'))
  open.defer(() => rm(root, { recursive: true, force: true }))
  const ca = createTestCa()
  const caFile = join(root, 'ca.pem')
  await writeFile(caFile, ca.rootPem)
  const issued = issueCertificates(ca)
  const hosts = issued.map((certificate, index) => ({ hostname: hostnameOf(index), certificate }))
  const { port: backendPort } = open.use(await startPlainBackend(backendProgram))
  return {
    ...{ client, backendProgram, backendPort, ca, caFile, issued, hosts },
    makeFolder: async (name) => {
      const folder = join(root, name)
      await mkdir(folder)
      return folder
    },
    makeStore: async () => {
      const directory = await prepareStore({ hosts: hosts.length, ca, issued })
      open.defer(() => rm(directory, { recursive: true, force: true }))
      return directory
    },
    plainTargets: () =>
      writeTargets(
        join(root, 'plain.targets'),
        hosts.map(({ hostname }) => ({ hostname, path: '/c/spring/offer?id=4711' })),
      ),
  }
}

/** A signed link for every host, as an account gets them: from the API. */
export async function signedTargets(
  world: Pick<World, 'hosts'>,
  { postern }: Pick<PosternPeer, 'postern'>,
  file: string,
): Promise<string> {
  const targets = await Promise.all(
    world.hosts.map(async ({ hostname }) => {
      const { status, body } = await postern.api('/links', {
        method: 'POST',
        body: { host: hostname, kind: 'click', target: CLICK_TARGET, reference: 'bench' },
      })
      if (status !== 200) throw new Error(`A link was refused with ${status}`)
      const { pathname } = new URL(String(body.url))
      return { hostname, path: pathname }
    }),
  )
  return writeTargets(file, targets)
}

/** Where the links of the bench lead: as long as such links are. */
export const CLICK_TARGET =
  'https://shop.example/collections/spring/products/4711?utm_source=newsletter&utm_medium=email'
