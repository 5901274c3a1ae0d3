import { describe, expect, it } from 'vitest'
import { netOptions } from '../../../src/net/options.ts'

describe('net.dns', () => {
  it('asks the resolvers of the system unless told otherwise', () => {
    expect(netOptions.parse({}).dns).toBe('system')
  })

  it.each([
    ['127.0.0.1:5353', ['127.0.0.1:5353']],
    ['1.1.1.1', ['1.1.1.1:53']],
    ['1.1.1.1, 9.9.9.9:5353', ['1.1.1.1:53', '9.9.9.9:5353']],
    ['::1', ['[::1]:53']],
    ['[2620:fe::fe]:53,[::1]', ['[2620:fe::fe]:53', '[::1]:53']],
  ])('reads %s', (text, expected) => {
    expect(netOptions.parse({ dns: text }).dns).toEqual(expected)
  })

  it.each(['', 'dns.example', '1.1.1.1:0', '1.1.1.1:65536', '1.1.1.1,', '[1.1.1.1]:53', '::1:x'])(
    'refuses %j and says what it takes',
    (text) => {
      expect(netOptions.safeParse({ dns: text }).error?.message).toContain('ip:port')
    },
  )
})

describe('net.allowPrivate', () => {
  it('lets nobody into a private network, and nothing go over http, unless told otherwise', () => {
    expect(netOptions.parse({})).toMatchObject({ allowPrivate: [], allowHttp: false })
  })

  it.each([
    ['10.1.0.0/16', ['10.1.0.0/16']],
    [' 127.0.0.0/8, fd00::/8,', ['127.0.0.0/8', 'fd00::/8']],
    ['::1/128', ['::1/128']],
  ])('reads %j', (text, expected) => {
    expect(netOptions.parse({ allowPrivate: text }).allowPrivate).toEqual(expected)
  })

  it.each(['10.0.0.1', '10.0.0.0/33', '::/129', 'intranet/8', '10.0.0.0/8/8', '10.0.0.0/', 'all'])(
    'refuses %j and says what it takes',
    (text) => {
      const { error } = netOptions.safeParse({ allowPrivate: text })
      expect(error?.message).toContain('address/prefix')
    },
  )
})
