import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { debianFile } from '../../test/support/debian-file.ts'
import { freePort, type TestAuthority } from '../../test/support/test-authority.ts'

/** Caddy as a peer: the same CA, hosts added through its own API. */
export interface Caddy extends AsyncDisposable {
  readonly httpsPort: number
  addHost(host: string): Promise<void>
}

/** Starts it with an empty list of names; `undefined` if it cannot be had on this machine. */
export async function startCaddy(authority: TestAuthority): Promise<Caddy | undefined> {
  const program = await debianFile('caddy', 'usr/bin/caddy')
  if (!program) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'postern-caddy-'))
  const adminPort = await freePort()
  const httpsPort = await freePort()
  const config = join(folder, 'caddy.json')
  await writeFile(
    config,
    JSON.stringify(toConfiguration({ authority, folder, adminPort, httpsPort })),
  )
  const child = spawn(program, ['run', '--config', config], {
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: 'ignore',
  })
  const admin = `http://127.0.0.1:${adminPort}`
  await answering(`${admin}/config/`)
  return {
    httpsPort,
    addHost: async (host) => {
      const path = '/config/apps/tls/certificates/automate'
      const answer = await fetch(`${admin}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(host),
      })
      if (!answer.ok) throw new Error(`Caddy answered ${answer.status}: ${await answer.text()}`)
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

interface Place {
  readonly authority: TestAuthority
  readonly folder: string
  readonly adminPort: number
  readonly httpsPort: number
}

function toConfiguration({ authority, folder, adminPort, httpsPort }: Place): object {
  const issuer = {
    module: 'acme',
    ca: authority.pebble.directoryUrl,
    trusted_roots_pem_files: [String(authority.settings['acme.roots'])],
    challenges: {
      http: { alternate_port: authority.httpPort },
      'tls-alpn': { disabled: true },
    },
  }
  return {
    admin: { listen: `127.0.0.1:${adminPort}` },
    storage: { module: 'file_system', root: folder },
    logging: { logs: { default: { level: 'ERROR' } } },
    apps: {
      tls: { certificates: { automate: [] }, automation: { policies: [{ issuers: [issuer] }] } },
      http: {
        http_port: authority.httpPort,
        https_port: httpsPort,
        servers: {
          edge: {
            listen: [`127.0.0.1:${httpsPort}`],
            automatic_https: { disable: true },
            tls_connection_policies: [{}],
            routes: [{ handle: [{ handler: 'static_response', status_code: 204 }] }],
          },
          challenges: {
            listen: [`127.0.0.1:${authority.httpPort}`],
            routes: [{ handle: [{ handler: 'static_response', status_code: 404 }] }],
          },
        },
      },
    },
  }
}

async function answering(url: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const isUp = await fetch(url).then(
      () => true,
      () => false,
    )
    if (isUp) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('Caddy did not start')
}
