import { isIP } from 'node:net'
import { parseWireHostname } from '../kernel/index.ts'

/** We do not go there. `sentence` says why, for whoever chose the URL. */
export interface FetchRefusal {
  readonly kind: 'refused'
  readonly why: 'bad-url' | 'not-https' | 'credentials' | 'port' | 'private-address'
  readonly sentence: string
}

/** Where a URL leads, checked as far as it can be without DNS. */
export interface Destination {
  readonly kind: 'destination'
  readonly url: URL
  /** A name, or an address without its brackets. */
  readonly host: string
}

/** Judges a URL (WHATWG URL) that a stranger chose. */
export function judgeUrl(
  text: string,
  { mayGoTo, http }: { mayGoTo: (address: string) => boolean; http: 'allowed' | 'refused' },
): Destination | FetchRefusal {
  const url = text.length <= URL_CHARACTERS_MAX ? URL.parse(text) : null
  if (!url) return refuse('bad-url', 'This is not a URL.')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && http === 'allowed')) {
    return refuse('not-https', 'The URL does not begin with https://.')
  }
  if (url.username !== '' || url.password !== '') {
    return refuse('credentials', 'The URL holds a user name or password: put a token in its path.')
  }
  // Some of the services there would take our request for one of theirs.
  const port = Number(url.port)
  if (url.port !== '' && port < FREE_PORT_MIN && !WEB_PORTS.has(port)) {
    return refuse('port', 'The URL names a port below 1024 that is not for the web.')
  }
  // The URL parser has turned 0x7f.1 and 2130706433 into what they are.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) !== 0) {
    if (!mayGoTo(host)) {
      return refuse('private-address', 'The address in the URL is not on the public internet.')
    }
  } else if (!parseWireHostname(host)) {
    return refuse('bad-url', 'The URL names no host of the public internet.')
  }
  return { kind: 'destination', url, host }
}

/** Says that we do not go there. */
export function refuse(why: FetchRefusal['why'], sentence: string): FetchRefusal {
  return { kind: 'refused', why, sentence }
}

const URL_CHARACTERS_MAX = 2000
/** Below are the services of machines. */
const FREE_PORT_MIN = 1024
const WEB_PORTS: ReadonlySet<number> = new Set([80, 443])
