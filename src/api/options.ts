import { z } from 'zod'

/** `api.*`: where API, health and metrics are served. */
export const apiOptions = z.strictObject({
  listen: z
    .string()
    .default('127.0.0.1:8025')
    .transform((text, context) => {
      const address = parseApiAddress(text)
      if (address) return address
      context.addIssue({ code: 'custom', message: 'not an address: host:port, [v6]:port or :port' })
      return z.NEVER
    })
    .describe('Where the API, health and metrics are served: host:port; port 0 picks one'),
})

export type ApiOptions = z.output<typeof apiOptions>

/** Where to listen. Without a host: on every address. */
export interface ApiAddress {
  readonly host: string | undefined
  readonly port: number
}

const PORT_MAX = 65_535

function parseApiAddress(text: string): ApiAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]*)):(\d{1,5})$/.exec(text.trim())
  if (!match) return undefined
  const [, v6, host, digits] = match
  const port = Number(digits)
  return port <= PORT_MAX ? { host: v6 ?? (host === '' ? undefined : host), port } : undefined
}
