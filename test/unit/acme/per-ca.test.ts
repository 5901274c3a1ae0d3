import { describe, expect, it } from 'vitest'
import { acmeOptions } from '../../../src/acme/options.ts'
import { type PerCa, perCa, settingFor } from '../../../src/acme/per-ca.ts'

const eab = perCa({ pattern: /^[^:\s]+:[A-Za-z0-9+/_=-]+$/, form: 'kid:hmac' })
const read = (given: unknown): PerCa | undefined => eab.safeParse(given).data
const faultOf = (given: unknown) => eab.safeParse(given).error?.issues[0]?.message

const noCa = 'what stands before the first "=" is no CA, and the whole is not of the form kid:hmac'

describe('a setting that may differ between CAs', () => {
  it.each([
    ['kid:hmac', { bare: 'kid:hmac', named: {} }],
    ['kid:aG1hYw==', { bare: 'kid:aG1hYw==', named: {} }],
    ['zerossl=a:b==, google=c:d', { bare: undefined, named: { zerossl: 'a:b==', google: 'c:d' } }],
    ['a:b,google=c:d', { bare: 'a:b', named: { google: 'c:d' } }],
    ['https://acme.zerossl.com/v2/DV90=a:b', { bare: undefined, named: { zerossl: 'a:b' } }],
    [
      'https://ca.example.test:14000/dir=a:b=',
      { bare: undefined, named: { 'https://ca.example.test:14000/dir': 'a:b=' } },
    ],
    [{ google: 'c:d' }, { bare: undefined, named: { google: 'c:d' } }],
  ])('reads %j', (given, expected) => {
    expect(read(given)).toEqual(expected)
  })

  it.each([
    ['zerosl=a:b', noCa],
    ['c2VjcmV0LXNlY3JldA==', noCa],
    ['a:b,c:d', 'several values: write CA=VALUE for each'],
    ['google=nothing', 'not of the form kid:hmac'],
    ['', 'not of the form kid:hmac'],
    [{ nobody: 'a:b' }, noCa],
    [{ google: 'x' }, 'not of the form kid:hmac'],
  ])('says what is wrong with %j', (given, expected) => {
    expect(faultOf(given)).toBe(expected)
  })

  it('is for the CA that is named, or for the one that is meant', () => {
    const setting = read('a:b,google=c:d')
    const google = { name: 'google' }
    expect(settingFor(setting, google, 'google')).toBe('c:d')
    expect(settingFor(setting, { name: 'zerossl' }, 'zerossl')).toBe('a:b')
    expect(settingFor(setting, { name: 'letsencrypt' }, 'zerossl')).toBeUndefined()
    expect(settingFor(undefined, google, 'google')).toBeUndefined()
  })

  it('is an option: profiles by CA', () => {
    const options = acmeOptions.parse({
      profile: 'letsencrypt=shortlived',
      ca: 'letsencrypt,google',
    })
    expect(options.profile).toEqual({ bare: undefined, named: { letsencrypt: 'shortlived' } })
  })
})
