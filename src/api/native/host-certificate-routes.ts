import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import type { Hostname } from '../../kernel/index.ts'
import type { ApiPorts } from '../ports.ts'
import { bringCertificateBody, errorSchema, hostParams, hostSchema, noBody } from './contract.ts'
import { hostNow, requireLivingHost } from './shown-host.ts'

/** A chain and a key of 64 kB each, written as JSON, or a PKCS#12 file of 96 kB as base64. */
const UPLOAD_BYTES_MAX = 256 * 1024

/** The customer's own certificate for a host, and its end. */
export function hostCertificateRoutes({
  hosts,
  hostLife,
  certificates,
}: Pick<ApiPorts, 'hosts' | 'hostLife' | 'certificates'>): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.put(
      '/hosts/:host/certificate',
      {
        bodyLimit: UPLOAD_BYTES_MAX,
        schema: {
          operationId: 'bringCertificate',
          summary: "Serves the customer's own certificate, from PEM or PKCS#12, once it is checked",
          params: hostParams,
          body: bringCertificateBody,
          response: { 200: hostSchema, default: errorSchema },
        },
      },
      async ({ params, body }) => {
        const { hostname } = await requireLivingHost(hosts, params.host)
        await bring(hostLife, hostname, body)
        return hostNow({ hosts, certificates }, hostname)
      },
    )
    app.delete(
      '/hosts/:host/certificate',
      {
        schema: {
          operationId: 'handOverHost',
          summary: "Has our CA take over from the customer's own certificate",
          params: hostParams,
          body: noBody,
          response: { 200: hostSchema, default: errorSchema },
        },
      },
      async ({ params }) => {
        const { hostname } = await requireLivingHost(hosts, params.host)
        await hostLife.handOver(hostname)
        return hostNow({ hosts, certificates }, hostname)
      },
    )
    done()
  }
}

async function bring(
  hostLife: ApiPorts['hostLife'],
  hostname: Hostname,
  body: z.output<typeof bringCertificateBody>,
): Promise<void> {
  const whenItEnds = body.takeOver ? 'take-over' : 'leave-to-owner'
  if ('key' in body) {
    const upload = { pem: { chain: body.certificate, key: body.key } }
    await hostLife.bringCertificate(hostname, { upload, whenItEnds })
    return
  }
  const pkcs12 = Buffer.from(body.pkcs12, 'base64')
  try {
    const upload = { pkcs12, password: body.password }
    await hostLife.bringCertificate(hostname, { upload, whenItEnds })
  } finally {
    pkcs12.fill(0)
  }
}
