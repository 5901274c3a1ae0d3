import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { signatureHeaders, signingKeyText, signLikeMailgun } from '../../../src/events/signature.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

const key = Buffer.alloc(32, 7)
const now = new Date('2026-11-22T12:00:00.900Z')

describe('the signature of a webhook', () => {
  it("is what Mailgun's SDKs check: HMAC-SHA256 of timestamp and token with the key as text", () => {
    const text = signingKeyText(key)
    const { timestamp, token, signature } = signLikeMailgun(key, now, createSeededRandom())
    expect(timestamp).toBe('1795348800')
    expect(token).toMatch(/^[0-9a-f]{50}$/)
    const expected = createHmac('sha256', text).update(timestamp.concat(token)).digest('hex')
    expect(signature).toBe(expected)
  })

  it('has a token of its own each time', () => {
    const random = createSeededRandom()
    const one = signLikeMailgun(key, now, random)
    expect(signLikeMailgun(key, now, random).token).not.toBe(one.token)
  })

  it('covers the body too, as Standard Webhooks has it', () => {
    const body = '{"event-data":{}}'
    const headers = signatureHeaders(key, { id: 'abc', now, body })
    const secret = Buffer.from(signingKeyText(key).replace('whsec_', ''), 'base64')
    const expected = createHmac('sha256', secret).update(`abc.1795348800.${body}`).digest('base64')
    expect(headers).toEqual({
      'webhook-id': 'abc',
      'webhook-timestamp': '1795348800',
      'webhook-signature': `v1,${expected}`,
    })
  })
})
