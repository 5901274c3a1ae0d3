import { describe, expect, it } from 'vitest'
import {
  DER_TAGS,
  der,
  derBitString,
  derObjectIdentifier,
  derSequence,
  derUnsigned,
} from '../../../src/kernel/index.ts'

describe('DER', () => {
  it.each([
    [0, '0400'],
    [127, '047f'],
    [128, '048180'],
    [255, '0481ff'],
    [256, '04820100'],
    [70_000, '0483011170'],
  ])('writes a length of %i', (length, head) => {
    const value = der(DER_TAGS.octetString, Buffer.alloc(length))
    expect(value.subarray(0, head.length / 2).toString('hex')).toBe(head)
    expect(value).toHaveLength(head.length / 2 + length)
  })

  it.each([
    ['2.5.29.17', '0603551d11'],
    ['1.2.840.10045.4.3.2', '06082a8648ce3d040302'],
  ])('writes the object identifier %s', (dotted, hex) => {
    expect(derObjectIdentifier(dotted).toString('hex')).toBe(hex)
  })

  it.each([
    ['00', '020100'],
    ['0000', '020100'],
    ['7f', '02017f'],
    ['80', '02020080'],
    ['0001', '020101'],
  ])('writes the integer %s without sign or padding', (bytes, hex) => {
    expect(derUnsigned(Buffer.from(bytes, 'hex')).toString('hex')).toBe(hex)
  })

  it('nests', () => {
    const value = derSequence(derBitString(Buffer.from([5])), derSequence())
    expect(value.toString('hex')).toBe('300603020005' + '3000')
  })
})
