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
