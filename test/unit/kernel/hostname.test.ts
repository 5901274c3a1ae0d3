import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parentsOf, parseHostname, parseWireHostname } from '../../../src/kernel/index.ts'

describe('parseHostname', () => {
  it.each([
    ['email.customer.com', 'email.customer.com'],
    ['EMAIL.Customer.COM', 'email.customer.com'],
    ['email.customer.com.', 'email.customer.com'],
    [' email.customer.com ', 'email.customer.com'],
    ['é-mail.bücher.example', 'xn---mail-9ra.xn--bcher-kva.example'],
    [`${'a'.repeat(63)}.example.com`, `${'a'.repeat(63)}.example.com`],
  ])('reads %j', (typed, canonical) => {
    expect(parseHostname(typed)).toBe(canonical)
  })

  it.each([
    '',
    'localhost',
    '*.customer.com',
    '192.0.2.1',
    '0x7f.1',
    '[::1]',
    'a..b.com',
    '-a.com',
    'a-.com',
    'a_b.com',
    'a b.com',
    'a/b.com',
    'user@a.com',
    'a.com:80',
    'a.com..',
    'a.123',
    'a\0.com',
    `${'a'.repeat(64)}.example.com`,
    `${'a.'.repeat(127)}com`,
  ])('refuses %j', (typed) => {
    expect(parseHostname(typed)).toBeUndefined()
  })

  it('is stable: what it gives, it reads again as the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (typed) => {
        const name = parseHostname(typed)
        if (name !== undefined) expect(parseHostname(name)).toBe(name)
      }),
    )
  })
})

describe('parseWireHostname', () => {
  it('forgives case and nothing else', () => {
    expect(parseWireHostname('Email.Customer.com')).toBe('email.customer.com')
    for (const name of ['email.customer.com.', ' a.com', 'é.com', '192.0.2.1', 'com', '*.a.com']) {
      expect(parseWireHostname(name)).toBeUndefined()
    }
  })
})

describe('parentsOf', () => {
  it('climbs to the top, nearest first', () => {
    expect(parentsOf('a.b.example.com')).toEqual(['b.example.com', 'example.com', 'com'])
    expect(parentsOf('com')).toEqual([])
  })
})
