import { describe, expect, it } from 'vitest'
import { isCloudflareAddress, isPrivateAddress, sameAddress } from '../../../src/net/index.ts'

describe('private addresses', () => {
  it.each([
    ...['127.0.0.1', '10.1.2.3', '172.31.255.255', '192.168.0.1', '169.254.169.254', '0.0.0.0'],
    ...['100.64.0.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '192.0.2.1'],
    ...['::1', '::', 'fe80::1', 'fd00::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8'],
    ...['64:ff9b::7f00:1', '2002:7f00:1::', '2001:db8::1', '::127.0.0.1'],
  ])('%s', (address) => {
    expect(isPrivateAddress(address)).toBe(true)
  })

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2a00::1', '2606:4700::1'])(
    'not %s',
    (address) => {
      expect(isPrivateAddress(address)).toBe(false)
    },
  )
})

describe("Cloudflare's addresses", () => {
  it('are those of its list', () => {
    expect(['104.16.0.1', '172.64.1.1', '2606:4700::6810:1'].every(isCloudflareAddress)).toBe(true)
    expect(['8.8.8.8', '127.0.0.1', '2a00::1'].some(isCloudflareAddress)).toBe(false)
  })
})

describe('the same address', () => {
  it('may be written in several ways', () => {
    expect(sameAddress('2001:DB8::0:1', '2001:db8:0:0::1')).toBe(true)
    expect(sameAddress('127.0.0.1', '127.0.0.1')).toBe(true)
    expect(sameAddress('::1', '::2')).toBe(false)
  })
})
