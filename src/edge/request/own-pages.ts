import type { Page } from './pages.ts'
import type { Asked } from './passage.ts'

// What the edge name itself answers: nobody's link leads there, so no backend is asked.

/** Where visitors, scanners and operators read what their own connection agreed on. */
const TLS_CHECK = '/.well-known/postern/tls'

/** The page for a request to the edge name. */
export function ownPage({ method, target, connection }: Asked): Page {
  const [path] = target.split('?')
  if (path !== TLS_CHECK) return NOTHING
  if (method !== 'GET' && method !== 'HEAD') return NOT_ALLOWED
  const { tls } = connection.arrival
  const facts = tls?.()
  const said = {
    secure: facts !== undefined,
    version: facts?.version ?? null,
    cipher: facts?.cipher ?? null,
    keyExchange: facts?.keyExchange ?? null,
    alpn: facts?.alpn ?? null,
    resumed: facts?.resumed ?? null,
    required: REQUIRED,
  }
  return {
    status: 200,
    sentence: JSON.stringify(said, null, 2),
    headers: { 'content-type': 'application/json' },
  }
}

/** See `serverTlsOptions` in `net`. */
const REQUIRED = { version: 'TLSv1.2 or newer', forwardSecrecy: true, authenticatedCipher: true }

const NOTHING: Page = {
  status: 404,
  sentence: `Nothing is here but ${TLS_CHECK}, which tells what this connection agreed on.`,
}

const NOT_ALLOWED: Page = { status: 405, sentence: 'GET it.', headers: { allow: 'GET, HEAD' } }
