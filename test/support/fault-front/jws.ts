/** What a signed request says (RFC 8555 §6.2); nothing is verified. */
export interface SignedRequest {
  /** The URL of the account; `undefined` for a new one. */
  readonly account: string | undefined
  /** `undefined` for a POST-as-GET. */
  readonly payload: Readonly<Record<string, unknown>> | undefined
}

/** `undefined` for what is no JWS. */
export function readJws(body: Buffer): SignedRequest | undefined {
  if (body.length === 0) return undefined
  const { protected: head, payload } = JSON.parse(body.toString()) as {
    readonly protected?: string
    readonly payload?: string
  }
  if (head === undefined) return undefined
  const { kid } = decode(head) as { readonly kid?: string }
  return {
    account: kid,
    payload: payload ? (decode(payload) as Readonly<Record<string, unknown>>) : undefined,
  }
}

function decode(text: string): unknown {
  return JSON.parse(Buffer.from(text, 'base64url').toString())
}
