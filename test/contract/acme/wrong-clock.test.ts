import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createTransport } from '../../../src/acme/protocol/transport.ts'
import { createSelfSigned } from '../../../src/cli/demo/self-signed.ts'
import { days, minutes, systemClock } from '../../../src/kernel/index.ts'
import { aHostname, anIssuer, startAcmeWorld } from '../../support/acme-world.ts'
import { aMovableClock } from '../../support/movable-clock.ts'
import { pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import { openSqliteTestStore } from '../../support/stores.ts'

const never = new AbortController().signal

describe.skipIf(pebbleIsMissing)(`a clock that is wrong ${pebbleLabel}`, () => {
  it('orders nothing until it is right, and says how wrong it is', async () => {
    await using world = await startAcmeWorld()
    await using store = await openSqliteTestStore()
    const clock = aMovableClock()
    await using issuer = anIssuer(world, store, { clock })
    expect(issuer.clockSkew()).toBeUndefined()
    const held = await issuer.issue({ hostname: aHostname() }, never)
    if (held.kind !== 'issued') throw new Error(held.reason.sentence)
    expect(Math.abs(issuer.clockSkew() ?? Number.NaN)).toBeLessThan(5_000)
    await issuer.certs.activate(held.certificate.id)

    // Set by hand to a day three months ahead: no time went by.
    const jumping = aMovableClock()
    const wrong = { ...clock, now: () => new Date(jumping.now().getTime() + days(90)) }
    await using jumped = anIssuer(world, store, { clock: wrong })
    const { hostname } = held.certificate
    const need = { hostname, replacing: held.certificate, urgency: 'expiring' } as const
    world.front.reset()
    const outcome = await jumped.issue(need, never)
    expect(outcome).toMatchObject({
      kind: 'refused',
      reason: { code: 'postern/clock-wrong', sentence: expect.stringContaining('2160.0 h ahead') },
    })
    expect(jumped.clockSkew()).toBeGreaterThan(days(90) - minutes(1))
    expect(await jumped.admit(need)).toMatchObject({
      ...{ kind: 'wait', reason: { code: 'postern/clock-wrong' } },
    })
    expect(await jumped.issue({ hostname: aHostname() }, never)).toMatchObject({ kind: 'refused' })
    expect(world.front.requests).toEqual(['directory'])
  })

  it('goes on as soon as the clock is set right, without asking the CA', async () => {
    await using world = await startAcmeWorld()
    await using store = await openSqliteTestStore()
    let offMs = -days(1)
    const { clock } = { clock: aMovableClock() }
    const wrong = { ...clock, now: () => new Date(clock.now().getTime() + offMs) }
    await using issuer = anIssuer(world, store, { clock: wrong })
    const hostname = aHostname()
    expect(await issuer.issue({ hostname }, never)).toMatchObject({
      reason: { code: 'postern/clock-wrong', sentence: expect.stringContaining('24.0 h behind') },
    })
    offMs = 0
    expect(await issuer.admit({ hostname })).toEqual({ kind: 'go' })
    expect((await issuer.issue({ hostname }, never)).kind).toBe('issued')
  })
})

it.each([
  ['CERT_HAS_EXPIRED', days(60)],
  ['CERT_NOT_YET_VALID', -days(60)],
] as const)("points at this machine's clock when TLS says %s", async (code, aheadMs) => {
  const made = { ...systemClock, now: () => new Date(systemClock.now().getTime() - aheadMs) }
  const { certificatePem, privateKeyPem } = createSelfSigned(made)
  const server = createServer({ cert: certificatePem, key: privateKeyPem }, (_, answer) => {
    answer.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  using transport = createTransport({ extraRootsPem: certificatePem })
  const { port } = server.address() as AddressInfo
  const url = `https://127.0.0.1:${port}/`
  const asking = transport.send({ method: 'GET', url }, new AbortController().signal)
  await expect(asking).rejects.toMatchObject({
    ...{ code: 'acme/unreachable', message: code, fix: expect.stringContaining('clock') },
  })
  await new Promise((resolve) => server.close(resolve))
})
