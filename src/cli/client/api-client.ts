import type { z } from 'zod'
import { errorSchema } from '../../api/native/contract.ts'
import { CliError, RemoteError } from '../errors.ts'

/** The native API of one server. */
export interface ApiClient {
  /**
   * Sends one request. Throws RemoteError with the server's code, or CliError 'cli/unreachable',
   * 'cli/not-postern'.
   */
  call<Answer extends z.ZodType>(request: ApiRequest<Answer>): Promise<z.output<Answer>>
}

export interface ApiRequest<Answer extends z.ZodType> {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below `/api/v1`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  readonly answer: Answer
}

/** A look at DNS may wait for several resolvers; nothing of ours takes longer. */
const ANSWER_MS_MAX = 90_000

export function createApiClient(
  {
    url,
    key,
    fetch,
  }: { readonly url: string; readonly key: string; readonly fetch: typeof globalThis.fetch },
  signal: AbortSignal,
): ApiClient {
  const send = async (request: ApiRequest<z.ZodType>): Promise<Response> => {
    const { method = 'GET', body } = request
    try {
      return await fetch(targetOf(url, request), {
        method,
        redirect: 'error',
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
      })
    } catch (cause) {
      throw unreachableServer(url, cause, signal)
    }
  }

  return {
    call: async (request) => {
      const response = await send(request)
      const body = await jsonOf(response)
      if (!response.ok) throw refusalIn(body, url)
      const parsed = request.answer.safeParse(body)
      if (parsed.success) return parsed.data
      throw notPostern(url, parsed.error)
    },
  }
}

function targetOf(url: string, { path, query = {} }: ApiRequest<z.ZodType>): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value))
  }
  const suffix = parameters.size === 0 ? '' : `?${parameters}`
  return `${url.replace(/\/+$/, '')}/api/v1${path}${suffix}`
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function refusalIn(body: unknown, url: string): Error {
  const parsed = errorSchema.safeParse(body)
  if (!parsed.success) return notPostern(url, parsed.error)
  const { code, message, fix, retryAt } = parsed.data.error
  return new RemoteError(code, message, {
    fix,
    retryAt: retryAt === undefined ? undefined : new Date(retryAt),
  })
}

function notPostern(url: string, cause: unknown): CliError {
  return new CliError('cli/not-postern', `What answers at ${url} is not the API of this Postern.`, {
    cause,
    fix: 'Name the address of api.listen with --url, and use the same version on both sides.',
  })
}

function unreachableServer(url: string, cause: unknown, signal: AbortSignal): CliError {
  if (signal.aborted) return new CliError('cli/interrupted', 'Interrupted.', { cause })
  return new CliError('cli/unreachable', `No Postern server answers at ${url}.`, {
    cause,
    fix: 'Start it with `postern serve`, or name the right address with --url.',
  })
}
