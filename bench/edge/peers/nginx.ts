import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debianFile } from '../../../test/support/debian-file.ts'
import { freePort } from '../../../test/support/test-authority.ts'
import { treeOf } from '../../support/process-tree.ts'
import { startProgram, untilListens } from '../child-program.ts'
import { type CertificateFiles, writeCertificates } from './files.ts'
import type { PeerHost, PeerPlace, StartPeer } from './peer.ts'

/** nginx as "Configuring HTTPS servers" and "Module ngx_http_upstream_module, keepalive" recommend. */
export const startNginx: StartPeer = async (place) => {
  const program = await debianFile('nginx', 'usr/sbin/nginx')
  if (!program) return undefined
  const httpsPort = await freePort()
  const { folder } = place
  const known = pair(place.hosts, await writeCertificates(folder, place.hosts))
  const configuration = join(folder, 'nginx.conf')
  const write = () => writeFile(configuration, toConfiguration(place, httpsPort, known))
  await write()
  const args = ['-p', folder, '-c', configuration, '-e', join(folder, 'error.log')]
  const server = startProgram(program, args, place.core ? { core: place.core } : {})
  await untilListens(httpsPort, server)
  const pids = await masterAndWorker(server.pid)
  return {
    name: 'nginx',
    httpsPort,
    startedAtMs: server.startedAtMs,
    worker: pids.at(-1) ?? server.pid,
    pids,
    add: async (host) => {
      known.push(...pair([host], await writeCertificates(folder, [host])))
      await write()
      process.kill(server.pid, 'SIGHUP')
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** The master listens a moment before it has its worker. */
async function masterAndWorker(master: number): Promise<readonly number[]> {
  for (;;) {
    const pids = await treeOf(master)
    if (pids.length > 1) return pids
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

interface KnownHost {
  readonly hostname: string
  readonly files: CertificateFiles
}

function pair(hosts: readonly PeerHost[], files: readonly CertificateFiles[]): KnownHost[] {
  return hosts.flatMap(({ hostname }, index) => {
    const of = files[index]
    return of ? [{ hostname, files: of }] : []
  })
}

function toConfiguration(
  { backendPort }: PeerPlace,
  httpsPort: number,
  hosts: readonly KnownHost[],
): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${name}_temp;`)
    .join('\n')
  const servers = hosts.map(
    ({ hostname, files }) => `  server {
    listen 127.0.0.1:${httpsPort} ssl;
    server_name ${hostname};
    ssl_certificate ${files.chain};
    ssl_certificate_key ${files.key};
    location / { proxy_pass http://tracking; }
  }`,
  )
  // keepalive_requests: the default closes a connection after a thousand requests, which is no
  // more than a minute of a bench's.
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log error.log error;
events { worker_connections 8192; }
http {
${temporary}
  access_log off;
  server_names_hash_max_size 262144;
  server_names_hash_bucket_size 128;
  keepalive_timeout 70s;
  keepalive_requests 100000000;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_tickets on;
  ssl_session_cache shared:SSL:10m;
  ssl_session_timeout 10m;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $host;
  upstream tracking {
    server 127.0.0.1:${backendPort};
    keepalive 64;
    keepalive_requests 100000000;
  }
${servers.join('\n')}
}
`
}
