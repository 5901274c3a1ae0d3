import { describe, expect, it } from 'vitest'
import { OTHER, OURS, openEdge, sendRawTls, statusOf } from '../support.ts'

const get = (hostname: string): string => `GET / HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`

/** What a certificate row may come to hold; what it is turned into then is an error. */
const POISONS: readonly (readonly [what: string, poison: (pem: string) => string])[] = [
  ['is empty', () => ''],
  ['is no PEM', () => '<html>502</html>'],
  ['is cut off', (pem) => pem.slice(0, 200)],
  ['has a byte that changed', (pem) => pem.replace(/(?<=BEGIN CERTIFICATE-----\n.{30})./, '!')],
  ['is a private key', () => '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
  ['has ten megabytes', () => 'A'.repeat(10_000_000)],
]

describe('one certificate that', () => {
  it.each(POISONS)('%s takes its own host down and no other', async (_, poison) => {
    await using under = await openEdge()
    const issued = under.certificates.get(OURS)
    if (!issued) throw new TypeError('There is no certificate to poison.')
    under.certificates.set(OURS, { ...issued, chainPem: poison(issued.chainPem) })
    for (let round = 0; round < 3; round += 1) {
      const poisoned = await sendRawTls(under.httpsPort, OURS, get(OURS)).catch(() => 'no hands')
      expect(poisoned).not.toContain('200 OK')
      expect(statusOf(await sendRawTls(under.httpsPort, OTHER, get(OTHER)))).toBe(200)
    }
    // It is back as soon as its row is.
    under.certificates.set(OURS, issued)
    expect(statusOf(await sendRawTls(under.httpsPort, OURS, get(OURS)))).toBe(200)
    expect(under.seen.map(({ hostname }) => hostname)).toEqual([OTHER, OTHER, OTHER, OURS])
  })
})
