import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeRequest, type RequestHead } from '../../../src/edge/request/request-rules.ts'

function aHead(
  wishes: Partial<RequestHead> & { readonly more?: readonly string[] } = {},
): RequestHead {
  const { more = [], ...rest } = wishes
  const fields = ['Host', 'email.customer.test', ...more]
  return { method: 'GET', target: '/', version: '1.1', fields, secure: false, ...rest }
}

describe('an accepted request', () => {
  it.each([
    ['/', '/'],
    ['//evil.test/../x', '//evil.test/../x'],
    ["/c/k/p-_/m?a=b&c[]={d}'(e)!~*;@:$,^`%zz\\", "/c/k/p-_/m?a=b&c[]={d}'(e)!~*;@:$,^`%zz\\"],
    ['http://email.customer.test', '/'],
    ['HTTP://EMAIL.customer.test:80/x?y', '/x?y'],
    ['http://email.customer.test?y', '/?y'],
  ])('has the target %s in origin-form', (target, expected) => {
    expect(judgeRequest(aHead({ target }))).toMatchObject({
      kind: 'accepted',
      hostname: 'email.customer.test',
      target: expected,
    })
  })

  it.each([
    ['none', 'GET', []],
    ['none', 'POST', ['Content-Length', '0']],
    ['sized', 'GET', ['Content-Length', '5']],
    ['sized', 'DELETE', ['content-length', '10485760']],
    ['chunked', 'POST', ['Transfer-Encoding', 'Chunked']],
  ])('has a body that is %s', (body, method, more) => {
    expect(judgeRequest(aHead({ method, more }))).toMatchObject({ kind: 'accepted', body })
  })

  it('has the length that its own field says, and none that a value looks like', () => {
    const lengthWith = (...more: readonly string[]) => judgeRequest(aHead({ method: 'POST', more }))
    expect(lengthWith('X', 'content-length')).toMatchObject({ body: 'none', length: undefined })
    expect(lengthWith('X', 'content-length', '7', '7')).toMatchObject({ length: undefined })
    expect(lengthWith('content-length', '5')).toMatchObject({ body: 'sized', length: 5 })
    expect(lengthWith('Content-Length', '0')).toMatchObject({ body: 'none', length: 0 })
  })

  it('asks for a WebSocket, or for nothing that is granted', () => {
    const upgrade = (value: string, wishes = {}) => {
      const verdict = judgeRequest(aHead({ more: ['Upgrade', value], ...wishes }))
      return verdict.kind === 'accepted' ? verdict.upgrade : verdict
    }
    expect(upgrade('WebSocket')).toBe('websocket')
    expect(upgrade('h2c')).toBe('none')
    expect(upgrade('websocket, h2c')).toBe('none')
    expect(upgrade('websocket', { method: 'POST' })).toBe('none')
    expect(upgrade('websocket', { version: '1.0' })).toBe('none')
  })
})

describe('a refused request', () => {
  it('names the rule it broke', () => {
    const rules: readonly (readonly [
      string,
      Partial<RequestHead> & { more?: readonly string[] },
    ])[] = [
      ['version', { version: '2.0' }],
      ['expectation', { more: ['Expect', '100-continue, x'] }],
      ['version', { version: '0.9' }],
      ['method', { method: 'TRACE' }],
      ['method', { method: 'get' }],
      ['too-many-fields', { more: Array.from({ length: 200 }, () => 'a') }],
      ['field-name', { more: ['X_Real_IP', '1'] }],
      ['field-value', { more: ['A', 'caf\u00e9'] }],
      ['host', { fields: [] }],
      ['host', { more: ['host', 'email.customer.test'] }],
      ['host', { fields: ['Host', 'localhost'] }],
      ['host', { fields: ['Host', 'a.test:'] }],
      ['target', { target: '' }],
      ['target', { target: '*' }],
      ['target', { target: '/caf\u00e9' }],
      ['target', { target: '/a\u0085b' }],
      ['target', { target: '/a b' }],
      ['target', { target: 'ftp://email.customer.test/' }],
      ['authority', { target: 'http://email.customer.test:x/' }],
      ['authority', { target: 'http://email.customer.test@evil.test/' }],
      ['authority', { target: 'http://email.customer.test/', secure: true }],
      [
        'framing',
        { method: 'POST', more: ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'] },
      ],
      [
        'framing',
        { method: 'POST', more: ['Transfer-Encoding', 'chunked', 'Content-Length', '0'] },
      ],
      ['framing', { method: 'GET', more: ['Transfer-Encoding', 'chunked'] }],
      ['body-length', { more: ['Content-Length', '1', 'Content-Length', '1'] }],
      ['body-length', { more: ['Content-Length', '1e3'] }],
      ['body-length', { more: ['Content-Length', '9'.repeat(20)] }],
      ['body-too-large', { more: ['Content-Length', '10485761'] }],
    ]
    for (const [rule, head] of rules) {
      expect(judgeRequest(aHead(head))).toMatchObject({ kind: 'refused', rule })
    }
  })
})

it('never lets through a target or host that a backend could read in another way', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (target, host) => {
      const verdict = judgeRequest(aHead({ target, fields: ['Host', host] }))
      if (verdict.kind === 'refused') return
      expect(verdict.target).toMatch(/^\/[^#"<>|]*$/)
      expect(verdict.hostname).toMatch(/^[a-z0-9.-]+$/)
    }),
  )
})
