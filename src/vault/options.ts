import { z } from 'zod'
import { keySources } from './key-sources/key-sources.ts'

/** `vault.*`: where the keys are kept that everything secret is sealed with. */
export const vaultOptions = z.strictObject({
  key: z
    .string()
    .default('file:certs-store/data/master.key')
    .transform((text, context) => {
      const addresses = parseKeyAddresses(text)
      if (addresses) return addresses
      context.addIssue({
        code: 'custom',
        message: `not a place for a key: ${schemes.map((scheme) => `${scheme}:…`).join(', ')}`,
      })
      return z.NEVER
    })
    .describe(
      'Where the master key is: file:PATH, env:NAME or command:…; several with commas, of which the first seals and all open',
    ),
})

export type VaultOptions = z.output<typeof vaultOptions>

/** A place where a key is kept, as `vault.key` names it. */
export interface KeyAddress {
  readonly scheme: string
  /** What the source makes of it: a path, a name, a command. */
  readonly rest: string
}

const schemes = keySources.map(({ scheme }) => scheme)
/** Commas inside commands and paths are theirs, unless a scheme follows. */
const BETWEEN_ADDRESSES = new RegExp(`,\\s*(?=(?:${schemes.join('|')}):)`)

function parseKeyAddresses(text: string): readonly KeyAddress[] | undefined {
  const addresses = text.split(BETWEEN_ADDRESSES).map((address) => {
    const cut = address.indexOf(':')
    return { scheme: address.slice(0, cut).trim(), rest: address.slice(cut + 1).trim() }
  })
  const known = ({ scheme, rest }: KeyAddress): boolean => schemes.includes(scheme) && rest !== ''
  return addresses.every(known) ? addresses : undefined
}
