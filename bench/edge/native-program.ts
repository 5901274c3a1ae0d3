import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CACHE = resolve(import.meta.dirname, '../../.cache/bench')

/**
 * Compiles the C files of a folder beside this one, unless that was done before. Throws with what to
 * install where there is no compiler or OpenSSL's headers are missing.
 */
export async function nativeProgram(folder: 'load-client' | 'backend'): Promise<string> {
  const from = join(import.meta.dirname, folder)
  const names = (await readdir(from)).filter((name) => /\.[ch]$/.test(name)).toSorted()
  const hash = createHash('sha256')
  for (const name of names) hash.update(await readFile(join(from, name)))
  const program = join(CACHE, `${folder}-${hash.digest('hex').slice(0, 16)}`)
  if (await access(program).then(...YES_OR_NO)) return program
  await mkdir(CACHE, { recursive: true })
  const draft = `${program}.${process.pid}`
  const sources = names.filter((name) => name.endsWith('.c')).map((name) => join(from, name))
  const libraries = ['-lssl', '-lcrypto', '-lpthread']
  try {
    await run('cc', ['-O2', '-o', draft, ...sources, ...libraries])
  } catch (error) {
    throw new Error(
      `The ${folder} of this bench cannot be compiled: install a C compiler and OpenSSL's headers ` +
        '(Debian: apt-get install gcc libc6-dev libssl-dev).',
      { cause: error },
    )
  }
  await rename(draft, program)
  return program
}

const YES_OR_NO = [() => true, () => false] as const
