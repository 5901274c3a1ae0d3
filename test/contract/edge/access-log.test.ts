import { describe, expect, it } from 'vitest'
import { type EdgeUnderTest, OURS, openBackend, openEdge, sendRaw } from './support.ts'

const AGENT = '\\r\\n{"level":"fatal"}\\u001b[31m'
const get = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: ${OURS}\r\nUser-Agent: ${AGENT}\r\n\r\n`
const linesOf = ({ logLines }: EdgeUnderTest) =>
  logLines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'request')

describe('the access log', () => {
  it('writes the share that was asked for, with nothing of the visitor', async () => {
    await using edge = await openEdge({ accessLog: 0.25 })
    for (let count = 0; count < 8; count += 1) {
      await sendRaw(edge.httpPort, get(`/c/secret-${count}?token=planted`))
    }
    const lines = linesOf(edge)
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatchObject({
      ...{ level: 'info', hostname: OURS, method: 'GET', status: 200, isWhole: true },
      ...{ scheme: 'http', protocol: 'http/1.1' },
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
      bytes: expect.any(Number),
      ms: expect.any(Number),
    })
    const text = edge.logLines.join('')
    for (const planted of ['secret-', 'planted', '127.0.0.1"', 'fatal']) {
      expect(text).not.toContain(planted)
    }
  })

  it('says of visitors what the operator asks for, on one line whatever they send', async () => {
    await using edge = await openEdge({
      ...{ accessLog: 1, accessLogDetails: ['targets', 'addresses', 'agents'] },
    })
    await sendRaw(edge.httpPort, get('/c/x'))
    expect(linesOf(edge)).toMatchObject([
      { target: '/c/x', address: '127.0.0.1', userAgent: AGENT, status: 200 },
    ])
  })

  it('writes nothing when told so', async () => {
    await using edge = await openEdge({ accessLog: 0 })
    await sendRaw(edge.httpPort, get('/'))
    expect(linesOf(edge)).toEqual([])
  })

  it('says so when an answer did not come to its end', async () => {
    await using backend = await openBackend((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
    })
    await using edge = await openEdge({ accessLog: 1, backend: backend.target })
    await sendRaw(edge.httpPort, get('/'))
    expect(linesOf(edge)).toMatchObject([{ status: 200, bytes: 4, isWhole: false }])
  })

  it('times every request, and gives each bucket the id of a sampled one', async () => {
    await using edge = await openEdge({ accessLog: 1 })
    await sendRaw(edge.httpPort, get('/'))
    const [{ requestId }] = linesOf(edge)
    expect(await edge.metric('postern_request_seconds')).toContain(requestId)
  })
})
