import { isIP } from 'node:net'
import { z } from 'zod'
import { isNetwork } from './addresses.ts'

/** `net.*`: how the outside world is asked. */
export const netOptions = z.strictObject({
  dns: z
    .string()
    .default('system')
    .transform((text, context) => {
      const servers = parseDnsServers(text)
      if (servers) return servers
      context.addIssue({
        code: 'custom',
        message: "not resolvers: 'system', or ip:port separated by commas, IPv6 as [ip]:port",
      })
      return z.NEVER
    })
    .describe('The resolvers to ask: system, or ip:port separated by commas'),
  allowPrivate: z
    .string()
    .default('')
    .transform((text, context) => {
      const entries = text.split(',').map((entry) => entry.trim())
      const networks: readonly string[] = entries.filter((entry) => entry !== '')
      if (networks.every(isNetwork)) return networks
      context.addIssue({
        code: 'custom',
        message: 'not networks: address/prefix separated by commas, like 10.1.0.0/16,fd00::/8',
      })
      return z.NEVER
    })
    .describe('Private networks that URLs of accounts may lead into, as address/prefix'),
  allowHttp: z
    .stringbool()
    .or(z.boolean())
    .default(false)
    .describe('Whether URLs of accounts may be plain http'),
  roots: z
    .string()
    .optional()
    .describe('A PEM file of further roots to trust when fetching URLs of accounts'),
})

export type NetOptions = z.output<typeof netOptions>

const DNS_PORT = 53
const PORT_MAX = 65_535

/** Resolvers as `ip:port` or `[ip]:port`, the form that `dns.Resolver.setServers` takes. */
function parseDnsServers(text: string): 'system' | readonly string[] | undefined {
  if (text.trim() === 'system') return 'system'
  const servers = text.split(',').map((server) => parseDnsServer(server.trim()))
  return servers.every((server) => server !== undefined) ? servers : undefined
}

function parseDnsServer(text: string): string | undefined {
  if (isIP(text) === 6) return `[${text}]:${DNS_PORT}`
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text)
  if (!match) return undefined
  const [, v6, v4, digits] = match
  const port = digits === undefined ? DNS_PORT : Number(digits)
  if (port < 1 || port > PORT_MAX) return undefined
  if (v6 !== undefined) return isIP(v6) === 6 ? `[${v6}]:${port}` : undefined
  return v4 !== undefined && isIP(v4) === 4 ? `${v4}:${port}` : undefined
}
