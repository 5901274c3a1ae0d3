import { isIP } from 'node:net'
import { EdgeError } from '../errors.ts'

/** Where to listen. Without `host`: on every address of the machine, IPv4 and IPv6. */
export interface ListenAddress {
  readonly host?: string
  /** 0 lets the system pick. */
  readonly port: number
}

/** Where it listens: what the system made of a `ListenAddress`. */
export interface BoundAddress {
  readonly host: string
  readonly port: number
}

const PORT_MAX = 65_535
const FIX = 'Write `:443`, `192.0.2.1:443`, `[2001:db8::1]:443` or several with commas.'

/** Reads `:80`, `127.0.0.1:80`, `[::1]:80`, several with commas. Throws 'edge/bad-address'. */
export function parseListenAddresses(text: string): readonly ListenAddress[] {
  return text.split(',').map((part) => parseListenAddress(part.trim()))
}

function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  if (!match) {
    throw new EdgeError('edge/bad-address', `"${text}" is not an address to listen on.`, {
      fix: FIX,
    })
  }
  const [, bracketed, plain = '', digits] = match
  const port = Number(digits)
  if (port > PORT_MAX) {
    throw new EdgeError('edge/bad-address', `"${text}": there is no port ${port}.`, { fix: FIX })
  }
  if (bracketed === undefined && plain === '') return { port }
  const host = bracketed ?? plain
  const isRight = bracketed === undefined ? isIP(host) === 4 : isIP(host) === 6
  if (!isRight && plain !== 'localhost') {
    throw new EdgeError('edge/bad-address', `"${text}": "${host}" is not an address.`, { fix: FIX })
  }
  return { host, port }
}

/** Writes an address as `parseListenAddresses` reads it. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  if (host === undefined) return `:${port}`
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}
