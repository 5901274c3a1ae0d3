import { describe, expect, it } from 'vitest'
import {
  formatBackendAddress,
  formatListenAddress,
  parseBackend,
  parseListenAddresses,
} from '../../../src/edge/index.ts'
import { edgeOptions } from '../../../src/edge/options.ts'

describe('addresses to listen on', () => {
  it.each([
    [':80', [{ port: 80 }]],
    ['127.0.0.1:0', [{ host: '127.0.0.1', port: 0 }]],
    ['[::1]:443', [{ host: '::1', port: 443 }]],
    ['localhost:8080', [{ host: 'localhost', port: 8080 }]],
    [':80, [2001:db8::1]:81', [{ port: 80 }, { host: '2001:db8::1', port: 81 }]],
  ])('%s', (text, addresses) => {
    expect(parseListenAddresses(text)).toEqual(addresses)
    expect(addresses.map(formatListenAddress).join(', ')).toBe(text)
  })

  it.each([
    '',
    '80',
    ':',
    ':65536',
    ':x',
    '1.2.3:80',
    '::1:80',
    '[1.2.3.4]:80',
    'a.test:80',
    ':80,',
    '[::1]',
  ])('%j is refused, and the sentence names it', (text) => {
    expect(() => parseListenAddresses(text)).toThrow(
      expect.objectContaining({
        code: 'edge/bad-address',
        message: expect.stringContaining(`"${text.split(',').at(-1)}"`),
      }),
    )
  })
})

describe('the backend', () => {
  it('is embedded, or one or several addresses', () => {
    expect(parseBackend('embedded')).toBe('embedded')
    const text = 'http://10.0.0.1:8080, http://[::1]:81, http://backend:80, unix:/run/b.sock'
    const parsed = parseBackend(text)
    if (parsed === 'embedded') throw new TypeError('not addresses')
    expect(parsed).toEqual([
      { kind: 'tcp', host: '10.0.0.1', port: 8080 },
      { kind: 'tcp', host: '::1', port: 81 },
      { kind: 'tcp', host: 'backend', port: 80 },
      { kind: 'unix', path: '/run/b.sock' },
    ])
    expect(parsed.map(formatBackendAddress).join(', ')).toBe(text)
  })

  it.each([
    '',
    'https://a.test',
    'http://a.test/path',
    'http://u:p@a.test',
    'a.test:80',
    'unix:relative',
    'http://a:99999',
  ])('%j is refused', (text) => {
    expect(() => parseBackend(text)).toThrow(expect.objectContaining({ code: 'edge/bad-backend' }))
  })
})

describe('edge options', () => {
  it('have defaults', () => {
    expect(edgeOptions.parse({})).toEqual({
      http: ':80',
      https: ':443',
      backend: 'embedded',
      sharedAddresses: '127.0.0.1, ::1',
      accessLog: 0.01,
      accessLogDetails: [],
      onBackendDown: 'answer',
      httpPolicy: 'serve',
    })
  })

  it('read what an environment can say', () => {
    expect(edgeOptions.parse({ workers: '0', name: 'Track.Example.COM.' })).toMatchObject({
      workers: 0,
      name: 'track.example.com',
    })
  })

  it.each([
    { http: '80' },
    { backend: 'ftp://x' },
    { name: '10.0.0.1' },
    { workers: -1 },
    { workers: 'x' },
    { httpPolicy: 'hsts' },
    { htp: ':80' },
  ])('refuse %j with a sentence', (options) => {
    expect(edgeOptions.safeParse(options).error?.issues[0]?.message).toMatch(/.{10}/)
  })
})
