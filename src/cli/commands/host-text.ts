import type { WireHistoryEntry, WireHost } from '../../api/native/contract.ts'
import { toDay, toInstant } from '../output/instant.ts'
import { printable } from '../output/printable.ts'
import { toFacts, toTable } from '../output/table.ts'

/** Hosts, one per line. */
export function hostsToText(hosts: readonly WireHost[]): string {
  const rows = hosts.map((host) => [
    host.host,
    host.state,
    host.httpsSafe ? 'yes' : 'no',
    toDay(host.certificate?.notAfter),
    toDay(host.certificate?.renewAt),
    host.reason?.code,
  ])
  return toTable(['host', 'state', 'https', 'valid until', 'renewed on', 'reason'], rows)
}

/** Everything about one host. */
export function hostToText(host: WireHost, now: Date): string {
  const { certificate, reason } = host
  const facts = toFacts([
    ['host', host.host],
    ['domain', host.domain],
    ['account', host.account],
    ['state', host.state],
    ['reason', reason ? `${reason.code}: ${reason.sentence}` : undefined],
    ['to do', reason?.fix],
    ['https', host.httpsSafe ? 'safe: mail may link with https' : 'not yet safe for links in mail'],
    ['certificate', certificate ? `${certificate.serial} by ${certificate.issuer}` : 'none'],
    ['valid until', toInstant(certificate?.notAfter, now)],
    ['renewed', toInstant(certificate?.renewAt, now)],
    ['comes from', host.certificateFrom === 'customer' ? sourceToText(host) : undefined],
    ['in the queue', toInstant(host.queuedAt, now)],
    ['left', toInstant(host.leftAt, now)],
    ['next look', toInstant(host.nextAttemptAt, now)],
  ])
  return `${facts}${checksToText(host.checks)}`
}

function sourceToText({ takeOver }: WireHost): string {
  return `the customer; ${takeOver ? 'ours follows when it ends' : 'ours does not follow'}`
}

function checksToText(checks: WireHost['checks']): string {
  if (checks.length === 0) return ''
  const lines = checks.map(({ name, ok, seen, expected }) => {
    const wanted = ok || expected === undefined ? '' : `, expected ${expected}`
    return `  ${ok ? 'ok ' : 'bad'}  ${printable(`${name}: ${seen}${wanted}`)}\n`
  })
  return `checks\n${lines.join('')}`
}

/** Steps with their times. */
export function historyToText(entries: readonly WireHistoryEntry[]): string {
  return entries
    .map(({ at, step, outcome, sentence }) => {
      const time = `${at.slice(0, 10)} ${at.slice(11, 23)}`
      return `${time}  ${`${step} ${outcome}`.padEnd(17)}  ${printable(sentence)}\n`
    })
    .join('')
}
