import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import type { AccountsErrorCode } from '../accounts/index.ts'
import type { CertificateErrorCode } from '../certs/index.ts'
import type { EventsErrorCode } from '../events/index.ts'
import type { HostErrorCode } from '../hosts/index.ts'
import { AppError } from '../kernel/index.ts'
import type { TrackingErrorCode } from '../tracking/index.ts'
import { ApiError, type ApiErrorCode } from './errors.ts'
import type { WireError } from './native/contract.ts'

/** The only place where codes become HTTP. A new code without a status is a type error. */
const STATUS_BY_CODE = {
  'api/unauthorized': 401,
  'api/too-many-failures': 429,
  'api/bad-request': 400,
  'api/unknown-route': 404,
  'api/too-large': 413,
  'api/unsupported-media-type': 415,
  'api/unexpected': 500,
  'api/cannot-listen': 500,
  'config/edge-name-missing': 409,
  'hosts/bad-name': 422,
  'hosts/not-found': 404,
  'hosts/retired': 409,
  'hosts/no-edge-name': 409,
  'hosts/is-edge-name': 422,
  'certs/not-found': 404,
  'certs/bad-cursor': 400,
  'certs/key-destroyed': 409,
  'certs/damaged': 500,
  'certs/unusable': 422,
  'certs/not-revoked': 409,
  'accounts/not-found': 404,
  'events/no-webhook': 404,
  'tracking/bad-target': 422,
  'tracking/bad-reference': 422,
  'hosts/other-account': 409,
  'hosts/claim-needed': 409,
  'hosts/own-certificate': 409,
  'certs/bad-upload': 422,
  'certs/bad-password': 422,
  'certs/in-use': 409,
  'accounts/bad-id': 422,
  'events/bad-url': 422,
  'keys/node-lacks-key': 409,
  'keys/no-new-key': 409,
  'tracking/no-key': 503,
  'tracking/journal-full': 503,
  'tracking/disk-short': 503,
  'tracking/disk-hangs': 503,
} as const satisfies Record<
  | ApiErrorCode
  | AccountsErrorCode
  | CertificateErrorCode
  | EventsErrorCode
  | HostErrorCode
  | TrackingErrorCode,
  number
>

const STATUS = new Map<string, number>(Object.entries(STATUS_BY_CODE))

/** A part behind the API says why it cannot now; it may be able to later. */
const STATUS_OF_OTHERS = 503

export interface ErrorResponse {
  readonly status: number
  readonly body: WireError
  /** Whether this is news to the operator, and not only to the caller. */
  readonly isOurs: boolean
}

/** What a caller is told of an error: code, sentence and fix; of a bug only where to look. */
export function toErrorResponse(thrown: unknown, requestId: string): ErrorResponse {
  const error = toAppError(thrown)
  const status = STATUS.get(error.code) ?? STATUS_OF_OTHERS
  return {
    status,
    isOurs: status >= 500,
    body: {
      error: {
        code: error.code,
        message: error.message,
        ...(error.fix === undefined ? {} : { fix: error.fix }),
        ...(error.retryAt ? { retryAt: error.retryAt.toISOString() } : {}),
        requestId,
      },
    },
  }
}

function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  if (hasZodFastifySchemaValidationErrors(thrown)) return badRequest(thrown)
  const status = statusIn(thrown)
  if (status === 413) return new ApiError('api/too-large', 'The body is too large.')
  if (status === 415) {
    return new ApiError('api/unsupported-media-type', 'The body is not JSON.', {
      fix: 'Send `Content-Type: application/json`.',
    })
  }
  if (status >= 400 && status < 500 && thrown instanceof Error) {
    return new ApiError('api/bad-request', thrown.message, { cause: thrown })
  }
  return new ApiError('api/unexpected', 'Something unexpected happened.', {
    cause: thrown,
    fix: "Look for the request's id in the server's log.",
  })
}

function statusIn(thrown: unknown): number {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return 500
  return typeof thrown.statusCode === 'number' ? thrown.statusCode : 500
}

interface ValidationFailure {
  readonly validation: readonly { readonly instancePath: string; readonly message?: string }[]
  readonly validationContext?: string | undefined
}

function badRequest({ validation, validationContext }: ValidationFailure): ApiError {
  const [first] = validation
  const field = (first?.instancePath ?? '').slice(1).replaceAll('/', '.')
  const place = [validationContext, field].filter(Boolean).join(' ')
  return new ApiError('api/bad-request', `${place}: ${first?.message ?? 'not accepted'}.`, {
    fix: 'The fields of each request are in /api/v1/openapi.json.',
  })
}
