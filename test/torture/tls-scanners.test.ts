import { expect, it } from 'vitest'
import { OURS, openEdge } from '../contract/edge/support.ts'
import { aTicketKey } from '../support/ticket-keys.ts'
import { testssl } from '../support/tls-scanners.ts'

// All that testssl.sh tries, some minutes of it; sslscan's half second is in test/contract/edge.

/** What it may find, and why that is as it should be. */
const EXPECTED: ReadonlyMap<string, string> = new Map([
  [
    'cipher_order',
    'only good suites are offered: the client knows best (Mozilla intermediate 6.0)',
  ],
  ['HSTS', "it binds a customer's name for a year, and is theirs to decide"],
  ['security_headers', "they are the backend's to say, whose answer is passed on as it is"],
  ['cert_chain_of_trust', 'the CA is of this test'],
  ['cert_revocation', 'the CA is of this test'],
  ['secure_renego', 'it cannot tell (a warning); sslscan and the self-test find it refused'],
  ['engine_problem', 'of the OpenSSL that testssl.sh itself uses'],
])
const FINE = new Set(['OK', 'INFO'])

it('finds nothing above "info" but what is meant to be so', { timeout: 1_000_000 }, async ({
  skip,
}) => {
  await using under = await openEdge()
  under.edge.useTicketKeys([aTicketKey(7)])
  const findings = await testssl({ port: under.httpsPort, hostname: OURS })
  if (!findings) return skip('testssl.sh cannot be had here')
  expect(findings.length).toBeGreaterThan(80)
  expect(findings.filter(({ id, severity }) => !FINE.has(severity) && !EXPECTED.has(id))).toEqual(
    [],
  )
})
