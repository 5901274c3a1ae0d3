import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'

/** What an outside program said: curl and openssl are the witnesses, not our own code. */
export interface ClientAnswer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CurlOptions {
  readonly caFile: string
  readonly port: number
  readonly extra?: readonly string[]
}

/** `curl` to a name that lives on 127.0.0.1:port, verifying its certificate. */
export function curl(
  url: string,
  { caFile, port, extra = [] }: CurlOptions,
): Promise<ClientAnswer> {
  const { hostname, protocol } = new URL(url)
  const at = `${hostname}:${protocol === 'https:' ? 443 : 80}:127.0.0.1:${port}`
  return run('curl', [
    ...['--silent', '--show-error', '--include', '--max-time', '10', '--cacert', caFile],
    ...['--connect-to', at, ...extra, url],
  ])
}

/** `openssl s_client` with one SNI name (none if `undefined`): what a handshake shows, and what is said to `input`. */
export function openssl(
  port: number,
  servername: string | undefined,
  extra: readonly string[] = [],
  input = '',
): Promise<ClientAnswer> {
  const sni = servername === undefined ? ['-noservername'] : ['-servername', servername]
  return run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...sni, ...extra], input)
}

function run(program: string, args: readonly string[], input = ''): Promise<ClientAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('latin1')
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('latin1')
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}

/** Process ids whose parent is `pid` (Linux). */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return list.trim().split(/\s+/).filter(Boolean).map(Number)
}
