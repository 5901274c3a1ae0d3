import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { debianFile } from '../../debian-file.ts'
import { openNodeRecorder, type Recorder } from './recorder.ts'

// Servers that others run behind a gate like this one, each in front of a backend that remembers
// what it was sent. What they refuse themselves bears `X-Behind`.

/** nginx, if it can be had. */
export async function openNginx(): Promise<Recorder | undefined> {
  const program = await debianFile('nginx', 'usr/sbin/nginx')
  if (program === undefined) return undefined
  return await openServer('nginx', {
    configure: nginxConfiguration,
    start: (folder) =>
      spawn(program, ['-e', 'stderr', '-p', folder, '-c', `${folder}/config`], QUIET),
  })
}

/** HAProxy, if it can be had. */
export async function openHaproxy(): Promise<Recorder | undefined> {
  const program = await debianFile('haproxy', 'usr/sbin/haproxy')
  const libraries = await Promise.all(
    Object.entries(HAPROXY_LIBRARIES).map(([name, file]) =>
      debianFile(name, `usr/lib/x86_64-linux-gnu/${file}`),
    ),
  )
  if (program === undefined || libraries.includes(undefined)) return undefined
  const path = libraries.map((file) => dirname(file ?? '')).join(':')
  return await openServer('haproxy', {
    configure: haproxyConfiguration,
    start: (folder) =>
      spawn(program, ['-db', '-f', `${folder}/config`], {
        ...QUIET,
        env: { LD_LIBRARY_PATH: path },
      }),
  })
}

const QUIET: SpawnOptions = { stdio: ['ignore', 'ignore', 'pipe'] }

/** Of Debian 12; where HAProxy needs others it does not start, and is left out. */
const HAPROXY_LIBRARIES = {
  'liblua5.3-0': 'liblua5.3.so.0',
  'libopentracing-c-wrapper0': 'libopentracing-c-wrapper.so.0',
  libopentracing1: 'libopentracing.so.1',
}

interface ServerKind {
  readonly configure: (folder: string, behindPort: number) => string
  readonly start: (folder: string) => ChildProcess
}

async function openServer(name: string, kind: ServerKind): Promise<Recorder | undefined> {
  await using opened = new AsyncDisposableStack()
  const behind = opened.use(await openNodeRecorder())
  const folder = await mkdtemp(join(tmpdir(), `postern-${name}-`))
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'temporary'))
  await writeFile(join(folder, 'config'), kind.configure(folder, behind.port))
  const child = kind.start(folder)
  let complaints = ''
  child.stderr?.on('data', (chunk) => {
    complaints += chunk
  })
  opened.defer(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  const path = join(folder, 'socket')
  if (!(await isListening(path, child))) {
    process.stderr.write(`${name} is left out: ${complaints.slice(0, 400)}\n`)
    return undefined
  }
  const running = opened.move()
  return {
    ...behind,
    name,
    target: { kind: 'remote', targets: [{ kind: 'unix', path }] },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

const START_TRIES = 200
const START_PAUSE_MS = 25

async function isListening(path: string, child: ChildProcess): Promise<boolean> {
  for (let tries = 0; tries < START_TRIES && child.exitCode === null; tries += 1) {
    const socket = connect(path)
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isOpen) return true
    await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS))
  }
  return false
}

function nginxConfiguration(folder: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/temporary/${kind};`)
    .join('\n')
  return `
daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  ${temporary}
  large_client_header_buffers 4 32k;
  keepalive_requests 100000;
  upstream behind { server 127.0.0.1:${port}; keepalive 32; }
  server {
    listen unix:${folder}/socket;
    add_header X-Behind nginx always;
    location / {
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_buffer_size 64k;
      proxy_buffers 8 64k;
    }
  }
}
`
}

function haproxyConfiguration(folder: string, port: number): string {
  const pages = [400, 403, 408, 413, 500, 502, 503, 504]
    .map(
      (status) =>
        `  http-error status ${status} content-type text/plain string x hdr X-Behind haproxy`,
    )
    .join('\n')
  return `
global
  tune.bufsize 65536
  maxconn 2000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
${pages}
frontend front
  bind unix@${folder}/socket
  default_backend behind
backend behind
  http-reuse always
  server node 127.0.0.1:${port}
`
}
