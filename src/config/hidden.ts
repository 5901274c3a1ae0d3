/** What stands in place of a secret. */
const HIDDEN = '[hidden]'

/**
 * A value in a form that may be shown: account and shared keys, passwords in URLs, commands (they may carry
 * tokens) and anything that is not the *name* of a key source are hidden.
 */
export function showable(key: string, value: unknown): string {
  const text = Array.isArray(value) ? value.map(String).join(',') : plainText(value)
  if (key === 'acme.eab' || key === 'edge.visitorFactsKey') return HIDDEN
  if (key === 'vault.key') return text.split(',').map(showableKeySource).join(',')
  return text
    .replace(/(:\/\/[^\s:@/]*):[^\s@]*@/g, `$1:${HIDDEN}@`)
    .replace(/([?&](?:password|sslpassword)=)[^&\s]*/gi, `$1${HIDDEN}`)
}

function plainText(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}

function showableKeySource(source: string): string {
  const match = /^(file|env|[a-z]+):(.*)$/.exec(source.trim())
  if (!match) return HIDDEN
  const [, kind, rest] = match
  return kind === 'file' || kind === 'env' ? `${kind}:${rest}` : `${kind}:${HIDDEN}`
}
