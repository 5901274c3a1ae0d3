import { execFile } from 'node:child_process'
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CACHE = resolve(import.meta.dirname, '../../.cache/debian')

/**
 * A file of one of Debian's packages, unpacked into the cache without root; `undefined` where apt is
 * not to be had.
 */
export async function debianFile(name: string, path: string): Promise<string | undefined> {
  const folder = join(CACHE, name)
  const file = join(folder, path)
  if (await exists(file)) return file
  const draft = `${folder}.${process.pid}`
  await mkdir(draft, { recursive: true })
  try {
    await run('apt-get', ['download', name], { cwd: draft })
    const archive = (await readdir(draft)).find((entry) => entry.endsWith('.deb'))
    if (!archive) return undefined
    await run('dpkg-deb', ['-x', archive, '.'], { cwd: draft })
    await rename(draft, folder)
    return file
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error)
    process.stderr.write(`${name} is left out: ${why}\n`)
    return undefined
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
