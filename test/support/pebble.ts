import { findPebble, type PebbleBinaries } from '../../src/cli/demo/pebble.ts'

/** Pebble as it was found, or the sentence that says what is missing. */
const found = await findPebble({ environment: process.env })

/** For `describe.skipIf`; the reason belongs in the name of the suite, where it is printed. */
export const pebbleIsMissing = 'missing' in found
export const pebbleLabel =
  'missing' in found ? `(${found.missing})` : `(Pebble ${found.version ?? 'of unknown version'})`

export function pebbleBinaries(): PebbleBinaries {
  if ('missing' in found) throw new Error(found.missing)
  return found
}

/** At least this version? An unknown one counts as Debian's, 2.4.0. */
export function pebbleIsAtLeast(wanted: string): boolean {
  const version = 'missing' in found ? undefined : found.version
  const [major = 2, minor = 4] = (version ?? '2.4.0').split('.').map(Number)
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}
