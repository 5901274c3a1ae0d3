import { findPebble } from '../src/cli/demo/pebble.ts'

/** Before all tests, so that Pebble is built once and not by every file that needs it. */
export default async function getPebble(): Promise<void> {
  const found = await findPebble({
    environment: process.env,
    onProgress: (sentence) => process.stdout.write(`${sentence}\n`),
  })
  if ('missing' in found) {
    process.stdout.write(`Tests with a CA are skipped. ${found.missing}\n`)
  }
}
