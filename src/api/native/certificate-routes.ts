import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import type { Reason } from '../../kernel/index.ts'
import type { ApiRecord } from '../../telemetry/index.ts'
import { ApiError } from '../errors.ts'
import type { ApiPorts, CertificateView } from '../ports.ts'
import {
  certificatePageSchema,
  certificateParams,
  certificateSchema,
  certificatesQuery,
  errorSchema,
  exportedCertificateSchema,
  exportedPkcs12Schema,
  exportPkcs12Body,
  revokeCertificateBody,
} from './contract.ts'
import { requireHostname } from './names.ts'
import { certificateToWire, pageToWire } from './to-wire.ts'

interface CertificateRoutesDeps extends Pick<ApiPorts, 'certificates' | 'hostLife'> {
  readonly record: Pick<ApiRecord, 'keyExported'>
}

/** Certificates: what we hold, a way out of here with chain and key, and their early end. */
export function certificateRoutes(deps: CertificateRoutesDeps): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    readRoutes(app, deps)
    exportRoutes(app, deps)
    revokeRoute(app, deps)
    done()
  }
}

type ZodApp = Parameters<FastifyPluginCallbackZod>[0]

function readRoutes(app: ZodApp, { certificates }: CertificateRoutesDeps): void {
  app.get(
    '/certificates',
    {
      schema: {
        operationId: 'listCertificates',
        summary: 'Certificates in use, page by page',
        querystring: certificatesQuery,
        response: { 200: certificatePageSchema, default: errorSchema },
      },
    },
    async ({ query: { expiringBefore, cursor, limit } }) => {
      const page = await certificates.page({
        limit,
        after: cursor,
        expiringBefore: expiringBefore === undefined ? undefined : new Date(expiringBefore),
      })
      return pageToWire(page, certificateToWire)
    },
  )
  app.get(
    '/certificates/:certificate',
    {
      schema: {
        operationId: 'showCertificate',
        summary: 'One certificate, by its id or as the current one of a host',
        params: certificateParams,
        response: { 200: certificateSchema, default: errorSchema },
      },
    },
    async ({ params }) =>
      certificateToWire(await requireCertificate(certificates, params.certificate)),
  )
}

function exportRoutes(app: ZodApp, { certificates, record }: CertificateRoutesDeps): void {
  app.get(
    '/certificates/:certificate/export',
    {
      schema: {
        operationId: 'exportCertificate',
        summary: 'Private key and chain as PEM',
        params: certificateParams,
        response: { 200: exportedCertificateSchema, default: errorSchema },
      },
    },
    async ({ params, id }) => {
      const certificate = await requireCertificate(certificates, params.certificate)
      const key = await certificates.exportKey(certificate.id)
      record.keyExported({ certificateId: certificate.id, requestId: id })
      const pem = `${certificate.chainPem.trimEnd()}\n${key.reveal().trimEnd()}\n`
      return { certificate: certificateToWire(certificate), pem }
    },
  )
  app.post(
    '/certificates/:certificate/export/pkcs12',
    {
      schema: {
        operationId: 'exportCertificateAsPkcs12',
        summary: 'Private key and chain as a PKCS#12 file under a password',
        params: certificateParams,
        body: exportPkcs12Body,
        response: { 200: exportedPkcs12Schema, default: errorSchema },
      },
    },
    async ({ params, body, id }) => {
      const certificate = await requireCertificate(certificates, params.certificate)
      const file = await certificates.exportPkcs12(certificate.id, body.password)
      record.keyExported({ certificateId: certificate.id, requestId: id })
      return {
        certificate: certificateToWire(certificate),
        pkcs12: file.reveal().toString('base64'),
      }
    },
  )
}

/** Less than the command line waits for an answer. */
const REVOCATION_MS_MAX = 60_000

function revokeRoute(app: ZodApp, { certificates, hostLife }: CertificateRoutesDeps): void {
  app.post(
    '/certificates/:certificate/revoke',
    {
      schema: {
        operationId: 'revokeCertificate',
        summary: 'Has its CA revoke a certificate; one in use is replaced at once',
        params: certificateParams,
        body: revokeCertificateBody,
        response: { 200: certificateSchema, default: errorSchema },
      },
    },
    async ({ params, body }) => {
      const { id } = await requireCertificate(certificates, params.certificate)
      const signal = AbortSignal.timeout(REVOCATION_MS_MAX)
      const outcome = await hostLife.revoke(id, body.reason, signal)
      if (outcome.kind === 'not-found') throw notFound()
      if (outcome.kind === 'refused') throw notRevoked(outcome.reason)
      return certificateToWire(await requireCertificate(certificates, id))
    },
  )
}

function notRevoked({ sentence, fix }: Reason): ApiError {
  return new ApiError('certs/not-revoked', sentence, { fix })
}

/** Ids have no dot and hostnames have one, so one place in the path can hold either. */
async function requireCertificate(
  certificates: ApiPorts['certificates'],
  idOrHost: string,
): Promise<CertificateView> {
  const found = idOrHost.includes('.')
    ? await certificates.current(requireHostname(idOrHost))
    : await certificates.find(idOrHost)
  if (found) return found
  throw notFound()
}

function notFound(): ApiError {
  return new ApiError('certs/not-found', 'There is no such certificate.', {
    fix: 'Name a host with a certificate, or an id from `postern cert list`.',
  })
}
