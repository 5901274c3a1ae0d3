import { readFile } from 'node:fs/promises'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** What was measured on, in one line, and how busy it was before: ratios suffer least from that. */
export function describeMachine(): string {
  const [{ model = 'unknown CPU' } = {}, ...others] = cpus()
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(' ')
  const gigabytes = (totalmem() / 2 ** 30).toFixed(0)
  return `${model} × ${others.length + 1}, ${gigabytes} GB, Linux ${release()}, Node ${process.version}, OpenSSL ${process.versions.openssl}; load ${load}`
}

/** More than this of a minute, and what was measured is how the machine was shared. */
const CROWDED_PERCENT = 20

/**
 * Whether others made this machine wait in the last minute, by the kernel's own account (Linux
 * pressure stall information). To be asked before a bench, which is a crowd by itself.
 */
export async function crowding(): Promise<string> {
  const text = await readFile('/proc/pressure/cpu', 'utf8').catch(() => '')
  const percent = Number(/^some .*avg60=([\d.]+)/m.exec(text)?.[1] ?? 0)
  if (percent <= CROWDED_PERCENT) return ''
  return `In ${percent.toFixed(0)} % of the last minute somebody waited for a core: rates, latencies and times are not to be believed, and CPU time is inflated, most of all that of programs with much code.\n`
}
