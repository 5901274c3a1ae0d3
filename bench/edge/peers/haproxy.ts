import { writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { debianFile } from '../../../test/support/debian-file.ts'
import { freePort } from '../../../test/support/test-authority.ts'
import { startProgram, untilListens } from '../child-program.ts'
import { certificateFiles, writeCertificates } from './files.ts'
import type { PeerHost, PeerPlace, StartPeer } from './peer.ts'

/** HAProxy's libraries that a plain Debian does not have. */
const LIBRARIES = [
  ['liblua5.3-0', 'liblua5.3.so.0'],
  ['libopentracing-c-wrapper0', 'libopentracing-c-wrapper.so.0'],
  ['libopentracing1', 'libopentracing.so.1'],
] as const

/** HAProxy on one thread, as its configuration manual recommends for many short requests. */
export const startHaproxy: StartPeer = async (place) => {
  const program = await debianFile('haproxy', 'usr/sbin/haproxy')
  const libraries = await Promise.all(
    LIBRARIES.map(([name, file]) => debianFile(name, `usr/lib/x86_64-linux-gnu/${file}`)),
  )
  if (!program || libraries.includes(undefined)) return undefined
  const httpsPort = await freePort()
  const { folder } = place
  await writeCertificates(folder, place.hosts)
  const list = join(folder, 'certificates.list')
  await writeFile(
    list,
    place.hosts.map((host) => `${certificateFiles(folder, host).bundle}\n`).join(''),
  )
  const configuration = join(folder, 'haproxy.cfg')
  const control = join(folder, 'control.sock')
  await writeFile(configuration, toConfiguration(place, { httpsPort, list, control }))
  const paths = libraries.flatMap((file) => (file ? [dirname(file)] : []))
  const server = startProgram(program, ['-db', '-f', configuration], {
    ...(place.core ? { core: place.core } : {}),
    env: { LD_LIBRARY_PATH: paths.join(delimiter) },
  })
  await untilListens(httpsPort, server)
  return {
    name: 'HAProxy',
    httpsPort,
    startedAtMs: server.startedAtMs,
    worker: server.pid,
    pids: [server.pid],
    add: async (host) => {
      await writeCertificates(folder, [host])
      await addAtRunTime(control, list, { host, file: certificateFiles(folder, host).bundle })
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

interface Files {
  readonly httpsPort: number
  readonly list: string
  readonly control: string
}

function toConfiguration({ backendPort }: PeerPlace, { httpsPort, list, control }: Files): string {
  return `global
  nbthread 1
  maxconn 8000
  stats socket ${control} level admin
  ssl-default-bind-options ssl-min-ver TLSv1.2
  tune.ssl.default-dh-param 2048
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 70s
  timeout server 70s
  timeout http-keep-alive 70s
frontend edge
  bind 127.0.0.1:${httpsPort} backlog 4096 ssl crt-list ${list}
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  default_backend tracking
backend tracking
  server tracking 127.0.0.1:${backendPort}
`
}

/** Management guide, "new ssl cert": four commands, and nothing is written for the next start. */
async function addAtRunTime(
  control: string,
  list: string,
  { host, file }: { readonly host: PeerHost; readonly file: string },
): Promise<void> {
  const { chainPem, keyPem } = host.certificate
  await command(control, `new ssl cert ${file}\n`)
  await command(control, `set ssl cert ${file} <<\n${chainPem}${keyPem}\n`)
  await command(control, `commit ssl cert ${file}\n`)
  await command(control, `add ssl crt-list ${list} ${file}\n`)
}

function command(control: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(control)
    let answer = ''
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    socket.once('end', () => resolve(answer))
    socket.once('error', reject)
    socket.end(text)
  })
}
