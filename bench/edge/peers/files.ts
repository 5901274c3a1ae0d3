import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PeerHost } from './peer.ts'

/** Files that are written at once; more only wait for the disk. */
const AT_ONCE = 64

/** Certificates as files, as the peers read them. */
export interface CertificateFiles {
  readonly chain: string
  readonly key: string
  /** Both in one, for HAProxy. */
  readonly bundle: string
}

export function certificateFiles(folder: string, { hostname }: PeerHost): CertificateFiles {
  const base = join(folder, 'certificates', hostname)
  return {
    chain: `${base}.chain.pem`,
    key: `${base}.key.pem`,
    bundle: join(folder, 'bundles', `${hostname}.pem`),
  }
}

export async function writeCertificates(
  folder: string,
  hosts: readonly PeerHost[],
): Promise<readonly CertificateFiles[]> {
  await mkdir(join(folder, 'certificates'), { recursive: true })
  await mkdir(join(folder, 'bundles'), { recursive: true })
  const all: CertificateFiles[] = []
  for (let from = 0; from < hosts.length; from += AT_ONCE) {
    const some = hosts.slice(from, from + AT_ONCE)
    all.push(...(await Promise.all(some.map((host) => writeOne(folder, host)))))
  }
  return all
}

async function writeOne(folder: string, host: PeerHost): Promise<CertificateFiles> {
  const files = certificateFiles(folder, host)
  const { chainPem, keyPem } = host.certificate
  await Promise.all([
    writeFile(files.chain, chainPem),
    writeFile(files.key, keyPem),
    writeFile(files.bundle, chainPem + keyPem),
  ])
  return files
}
