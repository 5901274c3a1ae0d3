import { afterAll, describe, expect, it } from 'vitest'
import { startDns } from '../../../src/cli/demo/dns.ts'
import { createResolver } from '../../../src/net/index.ts'
import { pebbleBinaries, pebbleIsMissing, pebbleLabel } from '../../support/pebble.ts'
import {
  caaData,
  nameData,
  type ScriptedAnswer,
  startScriptedDns,
} from '../../support/scripted-dns.ts'

const signal = new AbortController().signal
const cleaning = new AsyncDisposableStack()
afterAll(() => cleaning.disposeAsync())

const scripted = async (script: (name: string, type: string) => ScriptedAnswer) =>
  createResolver({ dns: [cleaning.use(await startScriptedDns(script)).address] })

describe('what DNS says', () => {
  it.each([
    ['nxdomain', { kind: 'nxdomain' }],
    ['noerror', { kind: 'none' }],
    ['servfail', { kind: 'servfail' }],
    ['refused', { kind: 'servfail' }],
    ['notimp', { kind: 'servfail' }],
  ] as const)('%s is a value', async (rcode, answer) => {
    const resolver = await scripted(() => ({ rcode }))
    for (const type of ['a', 'aaaa', 'cname', 'caa', 'txt'] as const) {
      expect(await resolver[type]('email.customer.test', signal), type).toEqual(answer)
    }
  })

  it('is a timeout when nobody answers, within five seconds', async () => {
    const resolver = await scripted(() => 'silence')
    const startedAt = performance.now()
    expect(await resolver.a('email.customer.test', signal)).toEqual({ kind: 'timeout' })
    expect(performance.now() - startedAt).toBeLessThan(5500)
  })

  it('is not asked for at all by whoever has given up already', async () => {
    const asked: string[] = []
    const resolver = await scripted((name) => {
      asked.push(name)
      return { rcode: 'nxdomain' }
    })
    const unhandled: unknown[] = []
    const note = (error: unknown) => void unhandled.push(error)
    process.on('unhandledRejection', note)
    const stopped = AbortSignal.abort(new Error('stop'))
    for (const type of ['a', 'aaaa', 'cname', 'caa', 'txt'] as const) {
      await expect(resolver[type]('email.customer.test', stopped)).rejects.toThrow('stop')
    }
    await resolver.a('email.after.test', signal)
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
    expect(new Set(asked)).toEqual(new Set(['email.after.test']))
  })

  it('is a timeout when nobody is there', async () => {
    const resolver = createResolver({ dns: ['127.0.0.1:1'] })
    expect(await resolver.cname('email.customer.test', signal)).toEqual({ kind: 'timeout' })
  })

  it('is not waited for once the signal says stop', async () => {
    const resolver = await scripted(() => 'silence')
    const stopping = new AbortController()
    const asking = resolver.a('email.customer.test', stopping.signal)
    stopping.abort(new Error('stop'))
    await expect(asking).rejects.toThrow('stop')
    await expect(resolver.a('email.customer.test', stopping.signal)).rejects.toThrow('stop')
  })

  it('is read whatever its case', async () => {
    const data = nameData('Edge.OURS.test')
    const resolver = await scripted(() => ({ records: [{ type: 'CNAME', data }] }))
    const answer = await resolver.cname('EMAIL.customer.test', signal)
    expect(answer).toEqual({ kind: 'found', records: ['edge.ours.test'] })
  })

  it('keeps CAA tags that nobody knows, and both ways to write "critical"', async () => {
    const records = [
      { type: 'CAA', data: caaData(0, 'ISSUE', 'letsencrypt.org; accounturi=https://x/1') },
      { type: 'CAA', data: caaData(128, 'futuristic', 'x') },
      { type: 'CAA', data: caaData(1, 'issue', ';') },
    ] as const
    const resolver = await scripted(() => ({ records }))
    expect(await resolver.caa('customer.test', signal)).toEqual({
      kind: 'found',
      records: [
        { critical: false, tag: 'issue', value: 'letsencrypt.org; accounturi=https://x/1' },
        { critical: true, tag: 'futuristic', value: 'x' },
        { critical: true, tag: 'issue', value: ';' },
      ],
    })
  })

  it('has no answer for a name that cannot be asked for', async () => {
    const resolver = await scripted(() => ({ rcode: 'noerror' }))
    const tooLong = `${'a'.repeat(64)}.test`
    expect(await resolver.cname(tooLong, signal)).toEqual({ kind: 'nxdomain' })
  })
})

describe.skipIf(pebbleIsMissing)(`with a real server ${pebbleLabel}`, () => {
  const start = async () => {
    const dns = cleaning.use(await startDns({ binaries: pebbleBinaries() }))
    return { dns, resolver: createResolver({ dns: [dns.address] }) }
  }

  it('finds CNAMEs, addresses, CAA behind a CNAME and TXT', async () => {
    const { dns, resolver } = await start()
    await dns.setDefaultIpv4('')
    await dns.setCname('email.customer.test', 'edge.ours.test')
    await dns.addA('edge.ours.test', ['127.0.0.1'])
    await dns.addAaaa('edge.ours.test', ['::1'])
    await dns.addCaa('edge.ours.test', [{ tag: 'issue', value: 'letsencrypt.org' }])
    await dns.setTxt('text.customer.test', 'hello')
    const host = 'email.customer.test'
    expect(await resolver.cname(host, signal)).toEqual({
      kind: 'found',
      records: ['edge.ours.test'],
    })
    expect(await resolver.a(host, signal)).toEqual({ kind: 'found', records: ['127.0.0.1'] })
    expect(await resolver.aaaa(host, signal)).toEqual({ kind: 'found', records: ['::1'] })
    expect(await resolver.caa(host, signal)).toEqual({
      kind: 'found',
      records: [{ critical: false, tag: 'issue', value: 'letsencrypt.org' }],
    })
    expect(await resolver.txt('text.customer.test', signal)).toEqual({
      kind: 'found',
      records: ['hello'],
    })
    expect(await resolver.caa('customer.test', signal)).toEqual({ kind: 'none' })
    expect(await resolver.a('nothing.test', signal)).toEqual({ kind: 'none' })
  })

  it('hears of a server that fails', async () => {
    const { dns, resolver } = await start()
    await dns.setServfail('email.customer.test')
    expect(await resolver.cname('email.customer.test', signal)).toEqual({ kind: 'servfail' })
  })
})
