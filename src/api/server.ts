import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { type FastifyInstance, fastify } from 'fastify'
import {
  type FastifyPluginCallbackZod,
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'
import { type Clock, newId, type Random, type Redacted } from '../kernel/index.ts'
import type { ApiRecord } from '../telemetry/index.ts'
import { createAuthenticate } from './authenticate.ts'
import { toErrorResponse } from './error-response.ts'
import { ApiError } from './errors.ts'
import { healthRoutes } from './health-routes.ts'
import { accountRoutes } from './native/account-routes.ts'
import { certificateRoutes } from './native/certificate-routes.ts'
import { hostCertificateRoutes } from './native/host-certificate-routes.ts'
import { hostRoutes } from './native/host-routes.ts'
import { keyRoutes } from './native/key-routes.ts'
import { statusRoutes } from './native/status-routes.ts'
import { trackingRoutes } from './native/tracking-routes.ts'
import type { ApiOptions } from './options.ts'
import type { ApiPorts } from './ports.ts'

/** The largest native request is a link of 4 KB. */
const BODY_BYTES_MAX = 64 * 1024
/** A hostname has 253 characters; some may be percent-encoded. Fastify's default is 100. */
const PARAM_CHARACTERS_MAX = 800
/** From first byte to last of a request: nobody holds a connection open by dripping. */
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_TIMEOUT_MS = 60_000
const CONNECTIONS_MAX = 1000

export interface ApiServerDeps extends ApiPorts {
  readonly adminKey: Redacted<string>
  /** `edge.name`: without it no host can be added. */
  readonly edgeName: string | undefined
  readonly clock: Clock
  readonly random: Random
  readonly record: ApiRecord
}

/** API, health and metrics over HTTP. */
export interface ApiServer {
  /** Starts to listen, once. Throws 'api/cannot-listen'. `url` has the port that was picked. */
  listen(): Promise<{ readonly url: string }>
  /** Answers what was asked, then stops. */
  close(): Promise<void>
}

export async function createApiServer(
  deps: ApiServerDeps,
  { listen }: ApiOptions,
): Promise<ApiServer> {
  const app = createFastify(deps)
  answerErrors(app, deps)
  noteRequests(app, deps)
  await app.register(swagger, {
    openapi: OPENAPI,
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  })
  await app.register(healthRoutes(deps))
  await app.register(nativeApi(deps), { prefix: '/api/v1' })

  return {
    listen: async () => {
      try {
        return { url: await app.listen({ port: listen.port, host: listen.host ?? '::' }) }
      } catch (cause) {
        throw cannotListen(listen, cause)
      }
    },
    close: () => app.close(),
  }
}

function createFastify({ clock, random }: ApiServerDeps) {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    routerOptions: { maxParamLength: PARAM_CHARACTERS_MAX },
    genReqId: () => newId({ clock, random }),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  // JSON or nothing: what a form on a foreign page can send is not read at all.
  app.removeContentTypeParser('text/plain')
  app.server.maxConnections = CONNECTIONS_MAX
  return app
}

function answerErrors(app: FastifyInstance, { record }: ApiServerDeps): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, body, isOurs } = toErrorResponse(error, request.id)
    if (isOurs) record.requestFailed({ requestId: request.id, error })
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="postern"')
    return reply.code(status).send(body)
  })
  app.setNotFoundHandler(() => {
    throw new ApiError('api/unknown-route', 'There is nothing here.', {
      fix: 'All paths are in /api/v1/openapi.json.',
    })
  })
}

function noteRequests(app: FastifyInstance, { record }: ApiServerDeps): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    reply.header('cache-control', 'no-store')
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    record.requestAnswered({
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    })
    done()
  })
}

function nativeApi(deps: ApiServerDeps): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
    app.register((guarded, _guardedOptions, ready) => {
      const authenticate = createAuthenticate(deps)
      guarded.addHook('onRequest', (request, _reply, next) => {
        authenticate({ authorization: request.headers.authorization, address: request.ip })
        next()
      })
      guarded.register(hostRoutes(deps))
      guarded.register(hostCertificateRoutes(deps))
      guarded.register(certificateRoutes(deps))
      guarded.register(statusRoutes(deps))
      guarded.register(keyRoutes(deps))
      guarded.register(trackingRoutes(deps))
      guarded.register(accountRoutes(deps))
      ready()
    })
    done()
  }
}

function cannotListen({ host, port }: ApiOptions['listen'], cause: unknown): ApiError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const address = `${host ?? ''}:${port}`
  const sentence =
    code === 'EADDRINUSE'
      ? `The API cannot listen on ${address}: the port is in use.`
      : `The API cannot listen on ${address} (${String(code)}).`
  return new ApiError('api/cannot-listen', sentence, {
    cause,
    fix: 'Set api.listen to a free port, or stop the program that uses this one.',
  })
}

const OPENAPI: NonNullable<FastifyDynamicSwaggerOptions['openapi']> = {
  openapi: '3.1.0',
  info: {
    title: 'Postern',
    description: 'Tracking hosts and their certificates.',
    version: '1',
  },
  components: {
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer' },
      basic: { type: 'http', scheme: 'basic' },
    },
  },
  security: [{ bearer: [] }, { basic: [] }],
}
