import { expect, it } from 'vitest'
import { sslscan } from '../../support/tls-scanners.ts'
import { OURS, openEdge } from './support.ts'

// What a stranger with a scanner sees. The long form is test/torture/tls-scanners.test.ts.

it('shows a scanner TLS 1.2 and 1.3 with forward secrecy and nothing else', async (context) => {
  await using under = await openEdge()
  const seen = await sslscan({ port: under.httpsPort, hostname: OURS })
  if (seen === undefined) return context.skip('sslscan cannot be had here')
  for (const version of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1']) {
    expect(seen).toMatch(new RegExp(`^${version} +disabled`, 'm'))
  }
  expect(seen).toMatch(/^TLSv1.2 +enabled/m)
  expect(seen).toMatch(/^TLSv1.3 +enabled/m)
  expect(seen).toContain('Server supports TLS Fallback SCSV')
  expect(seen).toContain('Session renegotiation not supported')
  expect(seen).not.toMatch(/[^t] vulnerable to heartbleed/)
  const suites = [...seen.matchAll(/^(?:Preferred|Accepted) +(\S+) +\d+ bits +(\S+)/gm)]
  expect(suites.map(([, version, suite]) => `${version} ${suite}`).toSorted()).toEqual([
    'TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256',
    'TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384',
    'TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305',
    'TLSv1.3 TLS_AES_128_GCM_SHA256',
    'TLSv1.3 TLS_AES_256_GCM_SHA384',
    'TLSv1.3 TLS_CHACHA20_POLY1305_SHA256',
  ])
})
