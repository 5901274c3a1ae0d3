import { describe, expect, it } from 'vitest'
import { seconds } from '../../../src/kernel/index.ts'
import { createGuardedFetch } from '../../../src/net/index.ts'
import { netOptions } from '../../../src/net/options.ts'

const nobody = async () => ({ kind: 'nxdomain' }) as const
const guard = (options: object = {}) =>
  createGuardedFetch({ resolver: { a: nobody, aaaa: nobody } }, netOptions.parse(options))
const judge = (url: string, options?: object) => guard(options).judge(url)?.why

describe('a URL that a stranger chose', () => {
  it.each([
    'https://hooks.customer.com/postern',
    'https://HOOKS.customer.com',
    'https://hooks.customer.com:443/',
    'https://hooks.customer.com:8443/a?b=c#d',
    'https://bücher.example/hook',
    'https://8.8.8.8/',
    'https://[2a00::1]:9000/',
  ])('is fine: %s', (url) => {
    expect(judge(url)).toBeUndefined()
  })

  it.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://2130706433/',
    'https://0/',
    'https://10.0.0.1:8443/',
    'https://192.168.1.1/',
    'https://172.16.0.1/',
    'https://100.64.0.1/',
    'https://169.254.169.254/latest/meta-data/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:8.8.8.8]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[fe80::1]/',
    'https://[fd00::1]/',
    'https://[fec0::1]/',
    'https://[ff02::1]/',
    'https://[2002:7f00:1::]/',
  ])('does not lead inside: %s', (url) => {
    expect(judge(url)).toBe('private-address')
  })

  it.each([
    ['http://hooks.customer.com/', 'not-https'],
    ['ftp://hooks.customer.com/', 'not-https'],
    ['file:///etc/passwd', 'not-https'],
    ['gopher://hooks.customer.com/', 'not-https'],
    ['https://user@hooks.customer.com/', 'credentials'],
    ['https://:secret@hooks.customer.com/', 'credentials'],
    ['https://hooks.customer.com:25/', 'port'],
    ['https://hooks.customer.com:22/', 'port'],
    ['https://hooks.customer.com:0/', 'port'],
    ['https://localhost/', 'bad-url'],
    ['https://localhost./', 'bad-url'],
    ['https://intranet/', 'bad-url'],
    ['https://hooks.customer.com./', 'bad-url'],
    ['https://*.customer.com/', 'bad-url'],
    ['https://[fe80::1%25eth0]/', 'bad-url'],
    ['hooks.customer.com', 'bad-url'],
    ['', 'bad-url'],
  ])('is refused: %s', (url, why) => {
    expect(judge(url)).toBe(why)
  })

  it('may be http, and lead into networks that were listed, where the operator says so', () => {
    const options = { allowHttp: true, allowPrivate: '10.1.0.0/16,::1/128' }
    expect(judge('http://hooks.customer.com/', options)).toBeUndefined()
    expect(judge('https://10.1.2.3/', options)).toBeUndefined()
    expect(judge('https://[::1]/', options)).toBeUndefined()
    expect(judge('https://10.2.0.1/', options)).toBe('private-address')
    expect(judge('https://127.0.0.1/', options)).toBe('private-address')
  })

  it('is refused when nobody would need one so long', () => {
    expect(judge(`https://hooks.customer.com/${'x'.repeat(2000)}`)).toBe('bad-url')
  })

  it('is not even asked for when it is refused', async () => {
    const request = { url: 'https://127.0.0.1:8443/', method: 'POST', headers: {} } as const
    const { signal } = new AbortController()
    const answer = await guard().fetch({ ...request, deadline: seconds(1) }, signal)
    expect(answer).toMatchObject({ kind: 'refused', why: 'private-address' })
  })

  it('says so when the file of further roots is none', () => {
    expect(() => guard({ roots: '/nowhere.pem' })).toThrow('net.roots is /nowhere.pem')
  })
})
