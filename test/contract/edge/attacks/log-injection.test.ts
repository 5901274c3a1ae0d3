import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import {
  type EdgeUnderTest,
  OK_ANSWER,
  OURS,
  openBackend,
  openEdge,
  sendRaw,
  sendRawTls,
} from '../support.ts'

/** What would be a line, a colour or an end of a line to whoever reads the log. */
const AGENTS: readonly string[] = [
  'x\r\n{"level":"fatal"}',
  'x\n{"level":"fatal"}',
  'x\r{"level":"fatal"}',
  '"}\n{"level":"fatal","event":"x"}',
  '{"level":"fatal"}',
  '","level":"fatal","x":"',
  '\\n\\r{"level":"fatal"}',
  '\\u000a{"level":"fatal"}',
  '\x1b[31mred\x1b[0m',
  '\x1b]0;title\x07',
  '\x9b31m',
  '\x00\x08\x7f',
  '\xe2\x80\xa8{"level":"fatal"}',
  '\xe2\x80\xa9',
  '\xc2\x85',
  '\xff\xfe',
  '%0a%0d{"level":"fatal"}',
  '$' + '{jndi:ldap://x}',
  '<script>alert(1)</script>',
  '=cmd|calc!A0',
  'a'.repeat(8000),
]

const TARGETS: readonly string[] = [
  ...AGENTS.slice(0, 20).map((text) => `/${text}`),
  '/%0d%0a%7B%22level%22:%22fatal%22%7D',
  '/%1b%5B31m',
  '/%e2%80%a8',
  `/${'a'.repeat(14_000)}`,
  `/${'a'.repeat(1_000_000)}`,
]

/** Forty things that are nobody's business, by where they stand in a request. */
const SECRETS = Array.from({ length: 40 }, (_, index) => `planted-secret-${index}-end`)

function linesOf(under: EdgeUnderTest, from = 0): readonly string[] {
  return under.logLines.slice(from)
}

function expectOneLineEach(lines: readonly string[]): void {
  for (const line of lines) {
    expect(line.indexOf('\n')).toBe(line.length - 1)
    expect(line.slice(0, -1)).toMatch(/^[^\p{Cc}\u2028\u2029]*$/u)
    expect(JSON.parse(line)).toMatchObject({ level: expect.not.stringMatching('fatal') })
    expect(line.length).toBeLessThan(8000)
  }
}

describe('what a visitor sends', () => {
  it.each([[[]], [['targets', 'addresses', 'agents'] as const]])(
    'is at most one line of the log for each request, and JSON, with details %j',
    async (details) => {
      await using under = await openEdge({ accessLog: 1, accessLogDetails: [...details] })
      const requests = [
        ...AGENTS.map((agent) => `GET / HTTP/1.1\r\nHost: ${OURS}\r\nUser-Agent: ${agent}\r\n\r\n`),
        ...TARGETS.map((target) => `GET ${target} HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`),
        ...TARGETS.slice(0, 20).map((text) => `GET / HTTP/1.1\r\nHost: ${OURS}${text}\r\n\r\n`),
        ...TARGETS.slice(0, 20).map(
          (text) => `${text.slice(1)} / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`,
        ),
      ]
      let answered = 0
      for (const bytes of requests) {
        const before = under.logLines.length
        const answer = await sendRaw(under.httpPort, bytes)
        if (answer.startsWith('HTTP/1.1 200')) answered += 1
        const lines = linesOf(under, before)
        expect(lines.length).toBeLessThanOrEqual(1)
        expectOneLineEach(lines)
      }
      expect(answered).toBeGreaterThan(10)
      expect(under.logLines.filter((line) => line.includes('"event":"request"'))).toHaveLength(
        answered,
      )
    },
  )

  it.each([
    ['answers', OK_ANSWER],
    [
      'answers with secrets of its own',
      `HTTP/1.1 200 OK\r\nSet-Cookie: ${SECRETS[39]}\r\nContent-Length: 2\r\n\r\nok`,
    ],
    ['answers what cannot be read', `${SECRETS[39]}\r\n\r\n`],
    [
      'fails',
      `HTTP/1.1 500 Broken\r\nX: ${SECRETS[39]}\r\nContent-Length: 21\r\n\r\n${SECRETS[39]}`,
    ],
    ['hangs up', ''],
  ])('is not told by the log, secrets least of all, when the backend %s', async (_, answer) => {
    await using backend = await openBackend((socket) => {
      if (answer === '') socket.destroy()
      else socket.write(answer)
    })
    await using under = await openEdge({ backend: backend.target, accessLog: 1 })
    const bytes = requestsWithSecrets()
    expect(SECRETS.slice(0, -1).filter((secret) => !bytes.join('').includes(secret))).toEqual([])
    await Promise.all(
      bytes.map(async (one) => {
        await sendRaw(under.httpPort, one)
        await sendRawTls(under.httpsPort, OURS, one)
      }),
    )
    expectOneLineEach(under.logLines)
    const text = under.logLines.join('')
    expect(SECRETS.filter((secret) => text.includes(secret))).toEqual([])
  })

  it('is not told when it is cut off either', async () => {
    await using under = await openEdge({ accessLog: 1, accessLogDetails: ['agents'] })
    for (const bytes of requestsWithSecrets()) {
      const socket = connect(under.httpPort, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.resume()
      socket.end(bytes.slice(0, -3), 'latin1')
      await new Promise((resolve) => socket.on('close', resolve))
    }
    const text = under.logLines.join('')
    expect(SECRETS.filter((secret) => text.includes(secret))).toEqual([])
  })
})

/** Each secret once, wherever a visitor can put one. */
function requestsWithSecrets(): readonly string[] {
  const fields = [
    'Authorization: Bearer',
    'Authorization: Basic',
    'Cookie: session=',
    'X-Api-Key:',
    'Proxy-Authorization:',
    'Referer: https://x.test/',
    'X-Forwarded-For:',
    'If-None-Match:',
    'Origin:',
    'X-Anything:',
  ]
  const targets = [
    '/c/',
    '/o/',
    '/u/',
    '/?token=',
    '/?url=https://x.test/',
    '/a/b/',
    '/.well-known/acme-challenge/',
    '/.well-known/postern/tls?',
    '//',
    '/%2e/',
    '/#',
    '/"',
  ]
  const bodies = ['application/json', 'application/x-www-form-urlencoded', 'text/plain']
  const secrets = SECRETS.values()
  const next = (): string => secrets.next().value ?? ''
  const head = `GET / HTTP/1.1\r\nHost: ${OURS}\r\n`
  return [
    ...fields.map((field) => `${head}${field} ${next()}\r\n\r\n`),
    ...targets.map((target) => `GET ${target}${next()} HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`),
    ...bodies.map((type) => {
      const body = next()
      return `POST /x HTTP/1.1\r\nHost: ${OURS}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    }),
    `GET / HTTP/1.1\r\nHost: ${next()}:80:80\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${next()}@${OURS}\r\n\r\n`,
    `GET http://u:${next()}@${OURS}/ HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`,
    `${next()} / HTTP/1.1\r\nHost: ${OURS}\r\n\r\n`,
    `GET / ${next()}\r\nHost: ${OURS}\r\n\r\n`,
    `${next()}\r\n\r\n`,
    `${head}X_${next()}: a\r\n\r\n`,
    `${head}X-${next()}: a\r\n\r\n`,
    `${head}Connection: ${next()}\r\n\r\n`,
    `${head}Upgrade: ${next()}\r\nConnection: Upgrade\r\n\r\n`,
    `${head}Expect: ${next()}\r\n\r\n`,
    `${head}Transfer-Encoding: ${next()}\r\n\r\n`,
    `${head}Content-Length: ${next()}\r\n\r\n`,
    `PUT /x HTTP/1.1\r\nHost: ${OURS}\r\nTransfer-Encoding: chunked\r\n\r\n${next()}\r\n`,
  ]
}
