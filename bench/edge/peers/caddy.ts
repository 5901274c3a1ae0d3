import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debianFile } from '../../../test/support/debian-file.ts'
import { freePort } from '../../../test/support/test-authority.ts'
import { startProgram, untilListens } from '../child-program.ts'
import { type CertificateFiles, writeCertificates } from './files.ts'
import type { PeerPlace, StartPeer } from './peer.ts'

/** Caddy with certificates from files; Go sees one core, and takes one. */
export const startCaddy: StartPeer = async (place) => {
  const program = await debianFile('caddy', 'usr/bin/caddy')
  if (!program) return undefined
  const httpsPort = await freePort()
  const adminPort = await freePort()
  const { folder } = place
  const known = [...(await writeCertificates(folder, place.hosts))]
  const configuration = join(folder, 'caddy.json')
  const toJson = () => JSON.stringify(toConfiguration(place, { httpsPort, adminPort, known }))
  await writeFile(configuration, toJson())
  const server = startProgram(program, ['run', '--config', configuration], {
    ...(place.core ? { core: place.core } : {}),
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  })
  await untilListens(httpsPort, server)
  return {
    name: 'Caddy',
    httpsPort,
    startedAtMs: server.startedAtMs,
    worker: server.pid,
    pids: [server.pid],
    add: async (host) => {
      known.push(...(await writeCertificates(folder, [host])))
      const answer = await fetch(`http://127.0.0.1:${adminPort}/load`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: toJson(),
      })
      if (!answer.ok) throw new Error(`Caddy answered ${answer.status}: ${await answer.text()}`)
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

interface Facts {
  readonly httpsPort: number
  readonly adminPort: number
  readonly known: readonly CertificateFiles[]
}

function toConfiguration(
  { backendPort, folder }: PeerPlace,
  { httpsPort, adminPort, known }: Facts,
): object {
  const proxy = {
    handler: 'reverse_proxy',
    upstreams: [{ dial: `127.0.0.1:${backendPort}` }],
    transport: { protocol: 'http', keep_alive: { max_idle_conns_per_host: 64 } },
  }
  return {
    admin: { listen: `127.0.0.1:${adminPort}` },
    storage: { module: 'file_system', root: folder },
    logging: { logs: { default: { level: 'ERROR' } } },
    apps: {
      tls: {
        // By default it keeps 10,000 and forgets others at random.
        cache: { capacity: Math.max(10_000, known.length * 2) },
        certificates: {
          load_files: known.map(({ chain, key }) => ({ certificate: chain, key })),
        },
      },
      http: {
        servers: {
          edge: {
            listen: [`127.0.0.1:${httpsPort}`],
            automatic_https: { disable: true },
            protocols: ['h1', 'h2'],
            tls_connection_policies: [{ protocol_min: 'tls1.2' }],
            routes: [{ handle: [proxy] }],
          },
        },
      },
    },
  }
}
