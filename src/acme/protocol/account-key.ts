import { createHash, createPublicKey, type KeyObject } from 'node:crypto'

/** The public half as a JSON Web Key, members in the order that thumbprints need (RFC 7638 §3). */
export function publicJwkOf(key: KeyObject): object {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' })
  return { crv, kty, x, y }
}

/** What a challenge is answered with (RFC 8555 §8.1). */
export function keyAuthorization(token: string, publicJwk: object): string {
  const thumbprint = createHash('sha256').update(JSON.stringify(publicJwk)).digest('base64url')
  return `${token}.${thumbprint}`
}
