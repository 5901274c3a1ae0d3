import { describe, expect, it } from 'vitest'
import { networkOf, parseNetworks } from '../../../../src/edge/listen/peer-network.ts'

describe('networkOf', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::5', '2001:db8:1:2::/64'],
    ['2001:db8::5', '2001:db8:0:0::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['2001:db8::2:3:4:5:6', '2001:db8:0:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('counts %s as %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})

describe('parseNetworks', () => {
  it('reads addresses and networks of both families', () => {
    const networks = parseNetworks('127.0.0.1, 192.0.2.0/24,2001:db8::/32, ::1')
    for (const inside of ['127.0.0.1', '::ffff:127.0.0.1', '192.0.2.255', '2001:db8::9', '::1']) {
      expect(networks.has(inside), inside).toBe(true)
    }
    for (const outside of ['127.0.0.2', '192.0.3.0', '2001:db9::', '', 'fe80::1%eth0']) {
      expect(networks.has(outside), outside).toBe(false)
    }
  })

  it('reads nothing as nobody', () => {
    expect(parseNetworks('').has('127.0.0.1')).toBe(false)
  })

  it.each(['localhost', '192.0.2.0/33', '::/129', '192.0.2.0/', '1.2.3', '192.0.2.1/24/8'])(
    'refuses %s',
    (text) => {
      expect(() => parseNetworks(text)).toThrow(
        expect.objectContaining({ code: 'edge/bad-address' }),
      )
    },
  )
})
