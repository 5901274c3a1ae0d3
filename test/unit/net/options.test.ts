import { describe, expect, it } from 'vitest'
import { netOptions } from '../../../src/net/options.ts'

describe('net.dns', () => {
  it('asks the resolvers of the system unless told otherwise', () => {
    expect(netOptions.parse({})).toEqual({ dns: 'system' })
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
