import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCore } from '../support/cores.ts'
import { hostnameOf } from '../support/prepared-store.ts'
import type { Contender } from './traffic.ts'

const run = promisify(execFile)

/**
 * The tables of autocannon, which Node's people know. It is one thread of JavaScript, and so often
 * slower than what it measures: its latencies say more than its rates.
 */
export async function profileWithAutocannon(
  contenders: readonly Contender[],
  seconds: number,
): Promise<string> {
  const program = fileURLToPath(import.meta.resolve('autocannon'))
  const tables: string[] = []
  for (const { peer } of contenders) {
    const hostname = hostnameOf(0)
    const [command, args] = onCore('others', process.execPath, [
      ...[
        program,
        '--connections',
        '64',
        '--duration',
        String(Math.ceil(seconds)),
        '--no-progress',
      ],
      ...['--servername', hostname, '--headers', `host=${hostname}`],
      `https://127.0.0.1:${peer.httpsPort}/c/spring/offer?id=4711`,
    ])
    const { stderr } = await run(command, [...args])
    tables.push(`${peer.name}\n${stderr.trim()}\n`)
  }
  return `\nautocannon, 64 connections, keep-alive\n\n${tables.join('\n')}`
}
