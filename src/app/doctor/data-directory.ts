import { access, constants, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { dataDirectory } from '../../store/index.ts'
import type { DoctorCheck, DoctorDeps, Finding } from './check.ts'

/** A million certificates take 8 GB; below this even a log line may be one too many. */
const FREE_BYTES_ENOUGH = 1_000_000_000
const FREE_BYTES_MIN = 100_000_000

/** The folder for database, keys and journals: may we write there, and is there room? */
export function dataDirectoryCheck({ config }: Pick<DoctorDeps, 'config'>): DoctorCheck {
  return {
    name: 'data directory',
    run: async () => {
      const directory = dataDirectory(config.store)
      const existing = await nearestExisting(directory)
      try {
        await access(existing, constants.W_OK | constants.X_OK)
      } catch (error) {
        if (!(error instanceof Error)) throw error
        const fix = `Give this user write access to ${existing}, or set store.url to another place.`
        return { verdict: 'bad', seen: `${existing} cannot be written to`, fix }
      }
      const { bavail, bsize } = await statfs(existing)
      return judgeRoom(directory, bavail * bsize)
    },
  }
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await access(path)
    return path
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    const above = dirname(path)
    if (!isMissing || above === path) return path
    return nearestExisting(above)
  }
}

function judgeRoom(directory: string, freeBytes: number): Finding {
  const seen = `${directory}, ${(freeBytes / 1e9).toFixed(1)} GB free`
  if (freeBytes >= FREE_BYTES_ENOUGH) return { verdict: 'ok', seen }
  const fix = 'Make room on that disk: without it no certificate and no hit can be kept.'
  return { verdict: freeBytes < FREE_BYTES_MIN ? 'bad' : 'warn', seen, fix }
}
