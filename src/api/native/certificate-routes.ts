import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
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
} from './contract.ts'
import { requireHostname } from './names.ts'
import { certificateToWire, pageToWire } from './to-wire.ts'

interface CertificateRoutesDeps extends Pick<ApiPorts, 'certificates'> {
  readonly record: Pick<ApiRecord, 'keyExported'>
}

/** Certificates: what we hold, and a way out of here with chain and key. */
export function certificateRoutes({
  certificates,
  record,
}: CertificateRoutesDeps): FastifyPluginCallbackZod {
  return (app, _options, done) => {
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
    done()
  }
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
  throw new ApiError('certs/not-found', 'There is no such certificate.', {
    fix: 'Name a host with a certificate, or an id from `postern cert list`.',
  })
}
