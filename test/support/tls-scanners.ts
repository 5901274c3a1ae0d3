import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { debianFile } from './debian-file.ts'

const run = promisify(execFile)

/** Where to look, and under which name. */
export interface Target {
  readonly port: number
  readonly hostname: string
}

/** What sslscan says of a server (half a second), or `undefined` where it cannot be had. */
export async function sslscan({ port, hostname }: Target): Promise<string | undefined> {
  const program = await debianFile('sslscan', 'usr/bin/sslscan')
  if (!program) return undefined
  const args = ['--no-colour', `--sni-name=${hostname}`, `127.0.0.1:${port}`]
  return (await run(program, args, { timeout: 60_000 })).stdout
}

export interface TestsslFinding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

/** Everything that testssl.sh finds (some minutes), or `undefined` where it cannot be had. */
export async function testssl({
  port,
  hostname,
}: Target): Promise<readonly TestsslFinding[] | undefined> {
  const program = await debianFile('testssl.sh', 'usr/bin/testssl')
  const data = await debianFile('testssl.sh', 'etc/testssl')
  if (!program || !data) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'postern-testssl-'))
  try {
    const file = join(folder, 'findings.json')
    const place = ['--nodns', 'none', '--ip', '127.0.0.1', `${hostname}:${port}`]
    const args = ['--quiet', '--color', '0', '--warnings', 'off', '--jsonfile', file, ...place]
    // It insists on one of four programs that look names up, and is told not to look any up.
    await writeFile(join(folder, 'host'), '#!/bin/sh\n', { mode: 0o755 })
    // It exits with the number of what it did not like: the file says it better.
    await run('bash', [program, ...args], {
      timeout: 900_000,
      maxBuffer: 64 * 1024 * 1024,
      env: {
        ...process.env,
        PATH: `${folder}:${process.env['PATH']}`,
        TESTSSL_INSTALL_DIR: data,
      },
    }).catch(() => undefined)
    return JSON.parse(await readFile(file, 'utf8'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
