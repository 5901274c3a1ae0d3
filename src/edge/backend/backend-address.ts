import { EdgeError } from '../errors.ts'

/** One place where the operator's backend answers, in clear: it is behind the edge. */
export type BackendAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

const FIX = 'Write `embedded`, `http://host:port`, `unix:/path` or several with commas.'

/**
 * Reads `edge.backend`: `embedded`, or one or several addresses. A path is refused, because
 * requests are passed on with the target they came with. Throws 'edge/bad-backend'.
 */
export function parseBackend(text: string): 'embedded' | readonly BackendAddress[] {
  if (text.trim() === 'embedded') return 'embedded'
  return text.split(',').map((part) => parseBackendAddress(part.trim()))
}

function parseBackendAddress(text: string): BackendAddress {
  const socket = /^unix:(\/.+)$/.exec(text)?.[1]
  if (socket !== undefined) return { kind: 'unix', path: socket }
  const url = /^http:\/\/[^/?#@\\]+\/?$/.test(text) ? URL.parse(text) : null
  if (!url) {
    throw new EdgeError('edge/bad-backend', `"${text}" is not the address of a backend.`, {
      fix: FIX,
    })
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return { kind: 'tcp', host, port: url.port === '' ? 80 : Number(url.port) }
}

/** Writes an address as `parseBackend` reads it, for logs. */
export function formatBackendAddress(address: BackendAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  return `http://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}
