import { createHash, timingSafeEqual } from 'node:crypto'
import { after, type Clock, minutes, type Redacted } from '../kernel/index.ts'
import type { ApiRecord } from '../telemetry/index.ts'
import { ApiError } from './errors.ts'

/** More wrong keys than this from one address within a window are answered 429. */
const FAILURES_MAX = 30
const WINDOW = minutes(1)
/** Addresses remembered at once; the oldest is forgotten first. */
const ADDRESSES_MAX = 10_000

/** Lets a request through, or throws 'api/unauthorized' or 'api/too-many-failures'. */
export type Authenticate = (request: {
  readonly authorization: string | undefined
  readonly address: string
}) => void

/**
 * Knows who may use the API: `Authorization: Bearer <key>`, or Basic `api:<key>` as Mailgun has it.
 * A right key is always let through, so that nobody can lock out others behind the same address:
 * keys are random and long, the limit only keeps guessing from being cheap.
 */
export function createAuthenticate({
  adminKey,
  clock,
  record,
}: {
  readonly adminKey: Redacted<string>
  readonly clock: Clock
  readonly record: Pick<ApiRecord, 'authenticationFailed' | 'addressThrottled'>
}): Authenticate {
  const expected = digest(adminKey.reveal())
  const failuresByAddress = new Map<string, { count: number; readonly until: Date }>()

  const countFailure = (address: string): { readonly count: number; readonly until: Date } => {
    const now = clock.now()
    const known = failuresByAddress.get(address)
    const failures = known && known.until > now ? known : { count: 0, until: after(now, WINDOW) }
    failures.count += 1
    failuresByAddress.delete(address)
    failuresByAddress.set(address, failures)
    const [oldest] = failuresByAddress.keys()
    if (failuresByAddress.size > ADDRESSES_MAX && oldest) failuresByAddress.delete(oldest)
    return failures
  }

  return ({ authorization, address }) => {
    const key = keyIn(authorization)
    // Digests have one length, so neither length nor content shows in the time.
    if (key !== undefined && timingSafeEqual(digest(key), expected)) return
    const { count, until } = countFailure(address)
    record.authenticationFailed({ address, failures: count })
    if (count <= FAILURES_MAX) throw unauthorized(key)
    if (count === FAILURES_MAX + 1) record.addressThrottled({ address, until })
    throw new ApiError('api/too-many-failures', 'Too many wrong keys from this address.', {
      retryAt: until,
      fix: 'Use a right key, or wait.',
    })
  }
}

function unauthorized(key: string | undefined): ApiError {
  const sentence = key === undefined ? 'This needs an API key.' : 'This API key is not known.'
  return new ApiError('api/unauthorized', sentence, {
    fix: 'Send `Authorization: Bearer <key>`; on the server itself the key is in admin.key in its data directory.',
  })
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** RFC 6750 §2.1 and RFC 7617 §2; the user name of Basic must be `api`. */
function keyIn(authorization: string | undefined): string | undefined {
  const match = /^(bearer|basic) +([^\s]+) *$/i.exec(authorization ?? '')
  if (!match) return undefined
  const [, scheme, credentials] = match
  if (scheme?.toLowerCase() === 'bearer') return credentials
  const pair = Buffer.from(credentials ?? '', 'base64').toString('utf8')
  return pair.startsWith('api:') ? pair.slice('api:'.length) : undefined
}
