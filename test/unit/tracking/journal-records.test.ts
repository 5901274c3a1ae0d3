import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hitToPayload, payloadToHit } from '../../../src/tracking/journal/hit-payload.ts'
import { countRecords, encodeRecords, readRecords } from '../../../src/tracking/journal/records.ts'
import { formatSegmentName, parseSegmentName } from '../../../src/tracking/journal/segment-name.ts'

const payloadsOf = (bytes: Buffer): string[] =>
  readRecords(bytes).records.map(({ payload }) => payload)

const somePayloads = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }), {
  maxLength: 6,
})

describe('records', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(somePayloads, (payloads) => {
        const bytes = encodeRecords(payloads)
        expect(payloadsOf(bytes)).toEqual(payloads)
        expect(readRecords(bytes).tail).toBe('none')
        expect(countRecords(bytes)).toEqual({ count: payloads.length, end: bytes.length })
      }),
    )
  })

  it('come back whole from the front, wherever a write was cut off', () => {
    fc.assert(
      fc.property(somePayloads, (payloads) => {
        const bytes = encodeRecords(payloads)
        const ends = [0, ...readRecords(bytes).records.map(({ end }) => end)]
        for (let cut = 0; cut <= bytes.length; cut += 1) {
          const read = readRecords(bytes.subarray(0, cut))
          const whole = ends.filter((end) => end <= cut).length - 1
          expect(read.records.map(({ payload }) => payload)).toEqual(payloads.slice(0, whole))
          expect(read.tail).toBe(ends.includes(cut) ? 'none' : 'short')
        }
      }),
      { numRuns: 30 },
    )
  })

  it('end where a byte was changed: what was changed never comes back as a hit', () => {
    fc.assert(
      fc.property(
        somePayloads,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (payloads, at, flip) => {
          const bytes = encodeRecords(payloads)
          if (bytes.length === 0) return
          const place = at % bytes.length
          bytes[place] = (bytes[place] ?? 0) ^ flip
          const read = payloadsOf(bytes)
          expect(read.length).toBeLessThan(payloads.length)
          expect(read).toEqual(payloads.slice(0, read.length))
        },
      ),
    )
  })

  it('are not made of zeros, as a power cut leaves them behind', () => {
    const bytes = Buffer.concat([encodeRecords(['a']), Buffer.alloc(4096)])
    expect(readRecords(bytes)).toMatchObject({ records: [{ payload: 'a' }], tail: 'damaged' })
  })
})

describe('a hit in the journal', () => {
  const click = {
    id: '01'.repeat(16),
    at: new Date('2026-11-22T12:00:00.123Z'),
    kind: 'click',
    hostname: 'email.customer.test',
    reference: 'm1',
    target: 'https://shop.test/?a=1',
    address: '2001:db8::1',
    userAgent: 'Mail "1" \\ é\u2028\u0007',
    owed: undefined,
  } as const

  it.each([
    { name: 'a click', hit: click },
    { name: 'an open', hit: { ...click, kind: 'open', target: undefined } as const },
    {
      name: 'one that is owed',
      hit: { ...click, owed: { target: '/c/x?y', scheme: 'https', port: 443 } as const },
    },
  ])('is read as it was written: $name', ({ hit }) => {
    expect(payloadToHit(hitToPayload(hit))).toEqual(hit)
  })

  it('is read with what a later version added', () => {
    const longer = `${hitToPayload(click).slice(0, -1)},"/t","https",443,"more"]`
    expect(payloadToHit(longer)).toMatchObject({ id: click.id })
  })

  it.each(['', '{}', '[]', '["a"]', '["a",1,"other","h","r",null,"a","u"]', 'null', '[1,2'])(
    'is nothing else: %s',
    (text) => expect(payloadToHit(text)).toBeUndefined(),
  )
})

describe('the name of a segment', () => {
  it.each(['open', 'taken', 'damaged'] as const)('says what it is: %s', (state) => {
    const name = { kind: 'owed', writer: 'ab'.repeat(16), number: 12, state } as const
    expect(parseSegmentName(formatSegmentName(name))).toEqual(name)
  })

  it.each(['', 'x.hits', `${'ab'.repeat(16)}-1.hits`, `${'ab'.repeat(16)}-00000001.hits.tmp`])(
    'is no other: "%s"',
    (text) => expect(parseSegmentName(text)).toBeUndefined(),
  )
})
