import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toPrintable } from '../../../src/net/index.ts'

describe('text of strangers', () => {
  it('keeps what it says', () => {
    expect(toPrintable('404 Not\r\n\tFound')).toBe('404 Not Found')
  })

  it('is cut, visibly', () => {
    expect(toPrintable('abcdef', 4)).toBe('abc~')
  })

  it('is never anything but 80 printable characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (text) => {
        expect(toPrintable(text)).toMatch(/^[\x20-\x7e]{0,80}$/)
      }),
    )
  })
})
