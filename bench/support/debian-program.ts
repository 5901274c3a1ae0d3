import { execFile } from 'node:child_process'
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CACHE = resolve(import.meta.dirname, '../../.cache/peers')

/**
 * A peer's program from Debian's package, unpacked into the cache without root; `undefined` where
 * apt is not to be had.
 */
export async function debianProgram(name: string, path: string): Promise<string | undefined> {
  const folder = join(CACHE, name)
  const program = join(folder, path)
  if (await exists(program)) return program
  const draft = `${folder}.${process.pid}`
  await mkdir(draft, { recursive: true })
  try {
    await run('apt-get', ['download', name], { cwd: draft })
    const archive = (await readdir(draft)).find((file) => file.endsWith('.deb'))
    if (!archive) return undefined
    await run('dpkg-deb', ['-x', archive, '.'], { cwd: draft })
    await rename(draft, folder)
    return program
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
