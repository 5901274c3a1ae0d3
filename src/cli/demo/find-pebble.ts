import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { delimiter, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** Pebble, Let's Encrypt's test server, and its companion that plays DNS. */
export interface PebbleBinaries {
  readonly pebble: string
  readonly challtestsrv: string
  /** Such as `2.10.1`; `undefined` when the program does not say. */
  readonly version: string | undefined
}

export interface FindPebbleOptions {
  /** Reads `PEBBLE_BIN`, `PEBBLE_CHALLTESTSRV_BIN` and `PATH`; handed on to go and apt-get. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where what was built or unpacked is kept. */
  readonly cacheDirectory?: string
  /** Told before anything that takes longer than a second. */
  readonly onProgress?: (sentence: string) => void
}

/**
 * Finds Pebble: as `PEBBLE_BIN`, on PATH, built once by Go into the cache, or unpacked there from
 * Debian's package without root. Several processes may do this at once. What is missing is said in
 * one sentence.
 */
export async function findPebble({
  environment,
  cacheDirectory = DEFAULT_CACHE,
  onProgress = () => undefined,
}: FindPebbleOptions): Promise<PebbleBinaries | { readonly missing: string }> {
  const named = environment['PEBBLE_BIN']
  if (named !== undefined && !(await isExecutable(named))) {
    return { missing: `PEBBLE_BIN is ${named}, and that cannot be run.` }
  }
  const pebble = named ?? (await onPath('pebble', environment))
  const beside = pebble === undefined ? [] : [join(dirname(pebble), 'pebble-challtestsrv')]
  const challtestsrv =
    (await firstExecutable([environment['PEBBLE_CHALLTESTSRV_BIN'], ...beside])) ??
    (await onPath('pebble-challtestsrv', environment))
  if (pebble && challtestsrv) return { pebble, challtestsrv, version: await versionOf(pebble) }

  const folder = await cachedFolder({ environment, cacheDirectory, onProgress })
  if (folder === undefined) return { missing: MISSING }
  const found = pebble ?? join(folder, 'pebble')
  return {
    pebble: found,
    challtestsrv: challtestsrv ?? join(folder, 'pebble-challtestsrv'),
    version: await versionOf(found),
  }
}

const GO_VERSION = 'v2.10.1'
const DEFAULT_CACHE = resolve(import.meta.dirname, '../../../.cache/pebble')
const MISSING =
  "Pebble (Let's Encrypt's test server) is not here: install Go 1.21 or later, or Debian's package" +
  ' pebble, or name the program in PEBBLE_BIN.'

const run = promisify(execFile)
/** Building takes a minute on a small machine; a download that hangs must not. */
const BUILD_MS_MAX = 600_000
const DOWNLOAD_MS_MAX = 120_000

/** The folder with both programs, making it if it is not there yet. */
async function cachedFolder(options: Required<FindPebbleOptions>): Promise<string | undefined> {
  const { cacheDirectory, environment, onProgress } = options
  await mkdir(cacheDirectory, { recursive: true })
  for (const name of await readdir(cacheDirectory)) {
    const folder = await programsIn(join(cacheDirectory, name))
    if (/^(?:v|debian-)\d/.test(name) && folder) return folder
  }
  if (await onPath('go', environment)) {
    onProgress(`Building Pebble ${GO_VERSION} with Go, once (about a minute).`)
    const built = await inNewFolder(cacheDirectory, (folder) => buildWithGo(folder, environment))
    if (built) return built
  }
  if (!(await onPath('apt-get', environment)) || !(await onPath('dpkg-deb', environment))) {
    return undefined
  }
  onProgress("Unpacking Debian's package of Pebble, once.")
  return inNewFolder(cacheDirectory, (folder) => unpackDebian(folder, environment))
}

type Make = (folder: string) => Promise<{ readonly name: string } | undefined>

/**
 * Lets `make` fill a folder of its own and gives it its name in one step, so that nobody sees half
 * of it. When somebody else was faster, theirs is used.
 */
async function inNewFolder(cacheDirectory: string, make: Make): Promise<string | undefined> {
  const folder = join(cacheDirectory, `.new-${randomBytes(6).toString('hex')}`)
  await mkdir(folder)
  try {
    const made = await make(folder)
    if (!made) return undefined
    const final = join(cacheDirectory, made.name)
    await rename(folder, final).catch(async (error: unknown) => {
      if ((await programsIn(final)) === undefined) throw error
    })
    return programsIn(final)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** `undefined` when Go cannot: too old, or without a way to its module proxy. */
async function buildWithGo(
  folder: string,
  environment: FindPebbleOptions['environment'],
): ReturnType<Make> {
  const packages = ['pebble', 'pebble-challtestsrv'].map(
    (name) => `github.com/letsencrypt/pebble/v2/cmd/${name}@${GO_VERSION}`,
  )
  const env = { ...environment, GOBIN: folder }
  const built = await succeeds(run('go', ['install', ...packages], { env, timeout: BUILD_MS_MAX }))
  return built ? { name: GO_VERSION } : undefined
}

/** Without root: with package lists of its own when the machine's are missing, as in most images. */
async function unpackDebian(
  folder: string,
  environment: FindPebbleOptions['environment'],
): ReturnType<Make> {
  const options = { cwd: folder, env: environment, timeout: DOWNLOAD_MS_MAX }
  if (!(await succeeds(run('apt-get', ['download', 'pebble'], options)))) {
    for (const name of ['lists/partial', 'cache/archives/partial']) {
      await mkdir(join(folder, name), { recursive: true })
    }
    const ownLists = [
      ...['-o', `Dir::State::lists=${join(folder, 'lists')}`],
      ...['-o', `Dir::Cache=${join(folder, 'cache')}`],
    ]
    const listed = await succeeds(run('apt-get', [...ownLists, 'update'], options))
    const loaded =
      listed && (await succeeds(run('apt-get', [...ownLists, 'download', 'pebble'], options)))
    await rm(join(folder, 'lists'), { recursive: true, force: true })
    await rm(join(folder, 'cache'), { recursive: true, force: true })
    if (!loaded) return undefined
  }
  const archive = (await readdir(folder)).find((name) => name.endsWith('.deb'))
  const version = /_([\d.]+)/.exec(archive ?? '')?.[1]
  if (archive === undefined || version === undefined) return undefined
  const unpacked = await succeeds(run('dpkg-deb', ['-x', archive, '.'], options))
  return unpacked ? { name: `debian-${version}` } : undefined
}

async function succeeds(running: Promise<unknown>): Promise<boolean> {
  return running.then(
    () => true,
    () => false,
  )
}

async function programsIn(folder: string): Promise<string | undefined> {
  for (const place of [folder, join(folder, 'usr/bin')]) {
    const programs = ['pebble', 'pebble-challtestsrv'].map((name) => join(place, name))
    const usable = await Promise.all(programs.map(isExecutable))
    if (usable.every(Boolean)) return place
  }
  return undefined
}

/**
 * What the program says, else what Go wrote into it (`go install` sets no version to say), else what
 * the folder of Debian's package is called.
 */
async function versionOf(pebble: string): Promise<string | undefined> {
  const said = await run(pebble, ['-version'], { timeout: 5_000 }).then(
    ({ stdout }) => /\d+\.\d+\.\d+/.exec(stdout)?.[0],
    () => undefined,
  )
  return said ?? (await builtVersionOf(pebble)) ?? /debian-(\d+\.\d+\.\d+)/.exec(pebble)?.[1]
}

async function builtVersionOf(pebble: string): Promise<string | undefined> {
  let tail = ''
  for await (const chunk of createReadStream(pebble, { encoding: 'latin1' })) {
    const text = `${tail}${chunk}`
    const found = /mod\tgithub\.com\/letsencrypt\/pebble\/v2\tv(\d+\.\d+\.\d+)/.exec(text)?.[1]
    if (found !== undefined) return found
    tail = text.slice(-100)
  }
  return undefined
}

function onPath(
  name: string,
  environment: FindPebbleOptions['environment'],
): Promise<string | undefined> {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return firstExecutable(folders.map((folder) => join(folder, name)))
}

async function firstExecutable(
  paths: readonly (string | undefined)[],
): Promise<string | undefined> {
  for (const path of paths) {
    if (path !== undefined && (await isExecutable(path))) return path
  }
  return undefined
}

function isExecutable(path: string): Promise<boolean> {
  return succeeds(access(path, constants.X_OK))
}
