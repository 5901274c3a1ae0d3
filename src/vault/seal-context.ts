import { strict as assert } from 'node:assert'

/** What kinds of secrets there are. Part of what is authenticated: never rename one. */
export type SealPurpose =
  | 'certificate-key'
  | 'acme-account-key'
  | 'link-signing-key'
  | 'webhook-key'
  | 'ticket-secret'
  | 'key-check'

/** Where a secret belongs. Authenticated, not stored: a row copied elsewhere does not open. */
export interface SealContext {
  readonly purpose: SealPurpose
  /** Whose it is, in a form that does not change: `email.customer.com/<certificate id>`. */
  readonly owner: string
  /** Of the owner's secret: a new one is not opened in the place of an old one. */
  readonly version: number
}

/** Which of the two boxes of an envelope: one is never taken for the other. */
export type BoxRole = 'data-key' | 'body'

/**
 * The context as authenticated data, the same bytes for ever. Each text is preceded by its length,
 * so that no two contexts share an encoding.
 */
export function contextToBytes(role: BoxRole, { purpose, owner, version }: SealContext): Buffer {
  assert(Number.isInteger(version) && version >= 0 && version <= VERSION_MAX)
  const number = Buffer.alloc(4)
  number.writeUInt32BE(version)
  const texts = [FORMAT, role, purpose, owner].map(withLength)
  return Buffer.concat([...texts, number])
}

const FORMAT = 'postern/envelope/1'
const VERSION_MAX = 2 ** 32 - 1
const TEXT_BYTES_MAX = 2 ** 16 - 1

function withLength(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  assert(bytes.length <= TEXT_BYTES_MAX)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}
