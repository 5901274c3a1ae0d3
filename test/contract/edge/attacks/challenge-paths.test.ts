import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type EdgeUnderTest,
  OK_ANSWER,
  OTHER,
  OURS,
  openBackend,
  openEdge,
  PENDING,
  type RecordingBackend,
  sendRaw,
  sendRawTls,
  statusOf,
} from '../support.ts'

const TOKEN = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0'
const CORNER = '/.well-known/acme-challenge/'

/** Ways around the one spelling of a live token. */
const ODD: readonly string[] = [
  `${CORNER}../../etc/passwd`,
  `${CORNER}../../../../../../etc/shadow`,
  `${CORNER}%2e%2e%2f%2e%2e%2fetc/passwd`,
  `${CORNER}%2e%2e/%2e%2e/etc/passwd`,
  `${CORNER}%252e%252e%252fetc/passwd`,
  `${CORNER}..%2f..%2fetc`,
  `${CORNER}..%5c..%5cwindows`,
  `${CORNER}..\\..\\windows`,
  `${CORNER}....//....//etc`,
  `${CORNER}..;/etc`,
  `${CORNER}.`,
  `${CORNER}..`,
  `${CORNER}./${TOKEN}`,
  `${CORNER}x/../${TOKEN}`,
  `${CORNER}%00`,
  `${CORNER}${TOKEN}%00`,
  `${CORNER}${TOKEN}%0d%0aX:y`,
  `${CORNER}${TOKEN}.txt`,
  `${CORNER}${TOKEN}/`,
  `${CORNER}${TOKEN}//`,
  `${CORNER}${TOKEN}?`,
  `${CORNER}${TOKEN}?x=y`,
  `${CORNER}${TOKEN};x`,
  `${CORNER}${TOKEN}%20`,
  `${CORNER}%4coqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0`,
  `${CORNER}${TOKEN.toLowerCase()}`,
  `${CORNER}${TOKEN.slice(0, -1)}`,
  `${CORNER}${TOKEN}0`,
  `${CORNER}${'a'.repeat(129)}`,
  `${CORNER}${'a'.repeat(10_000)}`,
  `${CORNER}$%7Bjndi:ldap://x%7D`,
  `${CORNER}';drop%20table%20challenges--`,
  `${CORNER}*`,
  `${CORNER}%2a`,
  `${CORNER}constructor`,
  `${CORNER}__proto__`,
  `${CORNER}/${TOKEN}`,
  CORNER,
  '/.well-known/acme-challenge',
  '/.well-known//acme-challenge/x',
  `//.well-known/acme-challenge/${TOKEN}`,
  `/./.well-known/acme-challenge/${TOKEN}`,
  `/x/../.well-known/acme-challenge/${TOKEN}`,
  `/%2ewell-known/acme-challenge/${TOKEN}`,
  `/.well-known/%61cme-challenge/${TOKEN}`,
  `/.well-known%2facme-challenge%2f${TOKEN}`,
  `/.WELL-KNOWN/ACME-CHALLENGE/${TOKEN}`,
  `/.well-known/acme-challenge%2f${TOKEN}`,
  `/.well-known\\acme-challenge\\${TOKEN}`,
]

let backend: RecordingBackend
let under: EdgeUnderTest

beforeAll(async () => {
  backend = await openBackend((socket) => socket.write(OK_ANSWER))
  under = await openEdge({ backend: backend.target })
  under.tokens.set(`${OURS}/${TOKEN}`, `${TOKEN}.thumbprint`)
})
afterAll(async () => {
  await under[Symbol.asyncDispose]()
  await backend[Symbol.asyncDispose]()
})

function ask(path: string, hostname = OURS, method = 'GET'): string {
  return `${method} ${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 0\r\n\r\n`
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf('\r\n\r\n') + 4)
}

describe('the corner of a site where CAs look', () => {
  it('has nothing under any other spelling, in clear or over TLS, and no backend hears of it', async () => {
    for (const path of ODD) {
      for (const answer of [
        await sendRaw(under.httpPort, ask(path)),
        await sendRawTls(under.httpsPort, OURS, ask(path)),
      ]) {
        expect([path, statusOf(answer)]).toEqual([path, 404])
        expect(Buffer.byteLength(bodyOf(answer))).toBeLessThan(200)
        expect(answer).not.toContain('thumbprint')
      }
    }
    expect(backend.text()).toBe('')
  })

  it.each(['\0', '\r', '\n', ' ', '\xff', '"', '<', '#'])(
    'cannot be asked for with %j',
    async (odd) => {
      const answer = await sendRaw(under.httpPort, ask(`${CORNER}${TOKEN}${odd}x`))
      expect(statusOf(answer)).toBe(400)
      expect(Buffer.byteLength(bodyOf(answer))).toBeLessThan(200)
      expect(backend.text()).toBe('')
    },
  )

  it('has nothing for other methods, other hosts and tokens that are over', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      expect(statusOf(await sendRaw(under.httpPort, ask(CORNER + TOKEN, OURS, method)))).toBe(404)
    }
    for (const hostname of [OTHER, PENDING]) {
      expect(statusOf(await sendRaw(under.httpPort, ask(CORNER + TOKEN, hostname)))).toBe(404)
    }
    under.tokens.set(`${OURS}/over`, 'over.thumbprint')
    expect(await sendRaw(under.httpPort, ask(`${CORNER}over`))).toContain('over.thumbprint')
    under.tokens.delete(`${OURS}/over`)
    expect(statusOf(await sendRaw(under.httpPort, ask(`${CORNER}over`)))).toBe(404)
    expect(backend.text()).toBe('')
  })

  it('shows a live token to whoever asks, five at once, over http and after a redirect to https', async () => {
    const path = CORNER + TOKEN
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, () => sendRaw(under.httpPort, ask(path))),
      ...Array.from({ length: 5 }, () => sendRawTls(under.httpsPort, OURS, ask(path))),
    ])
    for (const answer of answers) {
      expect(statusOf(answer)).toBe(200)
      expect(bodyOf(answer)).toBe(`${TOKEN}.thumbprint`)
    }
    const head = await sendRaw(
      under.httpPort,
      `HEAD ${path} HTTP/1.1\r\nHost: ${OURS}\r\nConnection: close\r\n\r\n`,
    )
    expect(statusOf(head)).toBe(200)
    expect(bodyOf(head)).toBe('')
    expect(backend.text()).toBe('')
  })
})
