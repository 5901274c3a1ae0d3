import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { childrenOf, curl, openssl } from '../support/clients.ts'
import { pebbleIsMissing, pebbleLabel } from '../support/pebble.ts'
import { eventually, type RunningPostern, runPostern, startPostern } from '../support/postern.ts'
import { startTestAuthority, type TestAuthority } from '../support/test-authority.ts'

const HOST = 'email.customer.test'

const running = new AsyncDisposableStack()
let authority: TestAuthority
let postern: RunningPostern

const start = async (directory?: string) => {
  const settings = { ...authority.settings, 'edge.workers': 2 }
  postern = running.use(await startPostern({ settings, ...(directory ? { directory } : {}) }))
}

beforeAll(async () => {
  authority = running.use(await startTestAuthority())
  await start()
})

afterAll(() => running.disposeAsync())

const hostIs = (host: string, isSo: (seen: { state: string; httpsSafe: boolean }) => boolean) =>
  eventually(async () => (await postern.api(`/hosts/${host}`)).body, isSo)

const becomeActive = async (host: string) => {
  await authority.dns.setCname(host, authority.edgeName)
  await postern.api('/hosts', { method: 'POST', body: { host } })
  return hostIs(host, ({ httpsSafe }) => httpsSafe)
}

const cliEnvironment = () => ({
  env: { POSTERN_API_URL: postern.apiUrl, POSTERN_API_KEY: postern.adminKey },
})

describe.skipIf(pebbleIsMissing)(`from CNAME to padlock to click ${pebbleLabel}`, () => {
  it('waits with a reason and its fix while there is no CNAME, and asks the CA nothing', async () => {
    const added = await postern.api('/hosts', { method: 'POST', body: { host: HOST } })
    expect(added.status).toBe(202)
    const waiting = await eventually(
      async () => (await postern.api(`/hosts/${HOST}`)).body,
      ({ reason }) => reason !== null,
    )
    expect(waiting).toMatchObject({
      host: HOST,
      state: 'waiting-for-dns',
      reason: { code: 'dns/no-cname' },
      httpsSafe: false,
      certificate: null,
    })
    expect(waiting.reason.fix).toContain(authority.edgeName)
    const { body } = await postern.api('/acme')
    expect(body.openOrders).toEqual([])
  })

  it('gets a certificate as soon as the CNAME is there, and says each step', async () => {
    await authority.dns.setCname(HOST, authority.edgeName)
    const story = await runPostern(
      ['host', 'add', HOST, '--wait', '--timeout', '30s'],
      {},
      cliEnvironment(),
    )
    expect(story.output).toMatch(/active/)
    expect(story.code).toBe(0)

    const active = await hostIs(HOST, ({ httpsSafe }) => httpsSafe)
    expect(active).toMatchObject({ state: 'active', reason: null, domain: 'customer.test' })
    const history = await postern.api(`/hosts/${HOST}/history`)
    expect(history.body.items.length).toBeGreaterThan(3)
  })

  it('serves it to curl: a click is redirected, an open is a GIF, a forged link goes nowhere', async () => {
    const sign = async (link: object) =>
      (await postern.api('/links', { method: 'POST', body: { host: HOST, ...link } })).body.url
    const visit = (url: string, extra: readonly string[] = []) =>
      curl(url, { caFile: authority.rootsFile, port: postern.httpsPort, extra })

    const target = 'https://shop.customer.test/?a=1&b=%20#top'
    const click: string = await sign({ kind: 'click', target, reference: 'm1' })
    expect(click).toMatch(/^https:/)
    const clicked = await visit(click)
    expect(clicked.stderr).toBe('')
    expect(clicked.stdout).toMatch(/^HTTP\/\S+ 302 /)
    expect(/^location: (.*)\r$/im.exec(clicked.stdout)?.[1]).toBe(target)

    const opened = await visit(await sign({ kind: 'open', reference: 'm1' }))
    expect(opened.stdout).toMatch(/^HTTP\/\S+ 200 /)
    expect(opened.stdout).toMatch(/^cache-control: .*no-store/im)
    expect(opened.stdout.split('\r\n\r\n').slice(1).join('\r\n\r\n')).toHaveLength(43)

    const forged = await visit(`${click.slice(0, -1)}${click.endsWith('A') ? 'B' : 'A'}`)
    expect(forged.stdout).toMatch(/^HTTP\/\S+ 404 /)
    expect(forged.stdout).not.toMatch(/^location:/im)

    const hits = await postern.api(`/hits?host=${HOST}`)
    expect(hits.body.items.map(({ kind }: { kind: string }) => kind).sort()).toEqual([
      'click',
      'open',
    ])
  })

  it('speaks TLS 1.2 and 1.3 with the right certificate, and nothing older', async () => {
    for (const version of ['-tls1_2', '-tls1_3']) {
      const shown = await openssl(postern.httpsPort, HOST, [
        ...[version, '-CAfile', authority.rootsFile, '-verify_return_error'],
        ...['-verify_hostname', HOST],
      ])
      expect(shown.stdout).toContain('Verify return code: 0 (ok)')
    }
    const old = await openssl(postern.httpsPort, HOST, ['-tls1_1', '-cipher', 'ALL@SECLEVEL=0'])
    expect(old.stdout + old.stderr).toMatch(/alert protocol version|no protocols available/)
  })

  it('refuses unknown names and no name without showing a certificate', async () => {
    for (const name of ['stranger.test', undefined]) {
      const shown = await openssl(postern.httpsPort, name)
      expect(shown.stdout).toContain('no peer certificate available')
      expect(shown.stderr).toMatch(/handshake failure|unexpected eof/)
    }
  })

  it('answers 421 to a request for a host that the connection is not for', async () => {
    await becomeActive('other.customer.test')
    const answer = await curl(`https://${HOST}/`, {
      caFile: authority.rootsFile,
      port: postern.httpsPort,
      extra: ['--header', 'Host: other.customer.test'],
    })
    expect(answer.stdout).toMatch(/^HTTP\/\S+ 421 /)
  })

  it('refuses to renegotiate', async () => {
    const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) => {
      const command = `printf 'R\\n' | timeout 5 openssl s_client -connect 127.0.0.1:${postern.httpsPort} -servername ${HOST} -tls1_2`
      try {
        resolve({
          stdout: execFileSync('sh', ['-c', command], { stdio: 'pipe' }).toString(),
          stderr: '',
        })
      } catch (error) {
        resolve(error as { stdout: string; stderr: string })
      }
    })
    expect(`${stdout}${stderr}`).toMatch(/no renegotiation|unexpected eof|handshake failure|alert/i)
  })

  it('exports what openssl can use, and lists what it holds', async () => {
    const { directory } = postern
    const file = `${directory}/exported.pem`
    const exported = await runPostern(['cert', 'export', HOST, '--out', file], {}, cliEnvironment())
    expect(exported.output).not.toContain('PRIVATE KEY')
    expect(exported.code).toBe(0)
    const key = execFileSync('openssl', ['pkey', '-in', file, '-pubout']).toString()
    const certificate = execFileSync('openssl', [
      'x509',
      '-in',
      file,
      '-pubkey',
      '-noout',
    ]).toString()
    expect(key).toBe(certificate)
    const listed = await runPostern(['cert', 'list', '--json'], {}, cliEnvironment())
    expect(listed.stdout).toContain(HOST)
  })

  it('replaces a certificate on request while every request goes well', async () => {
    const serialOf = async () => (await postern.api(`/hosts/${HOST}`)).body.certificate.serial
    const before = await serialOf()
    let isRenewing = true
    const failures: string[] = []
    let requests = 0
    const traffic = async () => {
      while (isRenewing) {
        const { stdout, stderr } = await curl(`https://${HOST}/none`, {
          caFile: authority.rootsFile,
          port: postern.httpsPort,
        })
        requests += 1
        if (!/^HTTP\/\S+ 404 /.test(stdout)) failures.push(stdout + stderr)
      }
    }
    const running = [traffic(), traffic()]
    await postern.api(`/hosts/${HOST}/renew`, { method: 'POST', body: {} })
    await eventually(serialOf, (serial) => serial !== before)
    const served = await openssl(postern.httpsPort, HOST)
    isRenewing = false
    await Promise.all(running)
    expect(served.stdout).toContain('BEGIN CERTIFICATE')
    expect(failures).toEqual([])
    expect(requests).toBeGreaterThan(3)
  })

  it('replaces a worker that was killed, and nobody else notices', async () => {
    const pid = postern.child.pid ?? 0
    const [victim = 0, ...others] = await childrenOf(pid)
    process.kill(victim, 'SIGKILL')
    await eventually(
      () => childrenOf(pid),
      (now) => now.length === others.length + 1 && !now.includes(victim),
    )
    await eventually(async () => /"event":"edge-worker-replaced"/.test(postern.output()), Boolean)
    const answer = await curl(`https://${HOST}/none`, {
      caFile: authority.rootsFile,
      port: postern.httpsPort,
    })
    expect(answer.stdout).toMatch(/^HTTP\/\S+ 404 /)
  })

  it('retires a host: its name is a stranger again and its key is gone', async () => {
    await becomeActive('leaver.customer.test')
    const removed = await runPostern(
      ['host', 'remove', 'leaver.customer.test'],
      {},
      cliEnvironment(),
    )
    expect(removed.code).toBe(0)
    await eventually(
      async () => (await openssl(postern.httpsPort, 'leaver.customer.test')).stdout,
      (stdout) => stdout.includes('no peer certificate available'),
    )
    const exported = await runPostern(
      ['cert', 'export', 'leaver.customer.test'],
      {},
      cliEnvironment(),
    )
    expect(exported.code).toBe(3)
  })

  it('shows how it is in readiness and metrics', async () => {
    const ready = await fetch(`${postern.apiUrl}/readyz`)
    expect(ready.status).toBe(200)
    const metrics = await (await fetch(`${postern.apiUrl}/metrics`)).text()
    expect(metrics).toMatch(/^postern_\w*handshakes_total\{.*\} [1-9]/m)
    expect(metrics).toMatch(/^postern_\w*requests_total\{.*\} [1-9]/m)
    expect(metrics).toMatch(/^postern_hosts\{state="active"\} [1-9]/m)
  })

  it('keeps everything when it is killed, and ends well when it is asked to', async () => {
    const before = (await postern.api(`/hosts/${HOST}`)).body.certificate.serial
    const { directory } = postern
    await postern.kill()
    await start(directory)
    expect((await postern.api(`/hosts/${HOST}`)).body.certificate.serial).toBe(before)
    const shown = await openssl(postern.httpsPort, HOST, ['-CAfile', authority.rootsFile])
    expect(shown.stdout).toContain('Verify return code: 0 (ok)')
    expect((await postern.api('/acme')).body.accounts).toHaveLength(1)

    const end = await postern.stop()
    expect({ code: end.code, signal: end.signal }).toEqual({ code: 0, signal: null })
    expect(end.ms).toBeLessThan(30_000)
  })
})
