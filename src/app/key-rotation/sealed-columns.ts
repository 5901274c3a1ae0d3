import type { SealContext } from '../../vault/index.ts'

/**
 * Every column that holds envelopes, as data: what counts secrets and what gives them to another
 * master key goes by this list alone. A new kind of secret is a line here, one in the table of
 * certs-store/README.md, which says the same for people, and a column `sealed_with` in its table. `key_checks` is not among them: its rows
 * belong to their master keys and never change.
 */
export const sealedColumns: readonly SealedColumn[] = [
  {
    table: 'certificates',
    id: 'id',
    sealed: 'sealed_key',
    owner: 'hostname',
    contextOf: ({ id, owner }) => ({ ...CERTIFICATE_KEY, owner: `${owner}/${id}` }),
  },
  {
    table: 'acme_orders',
    id: 'id',
    sealed: 'sealed_key',
    owner: 'hostname',
    contextOf: ({ id, owner }) => ({ ...CERTIFICATE_KEY, owner: `${owner}/order/${id}` }),
  },
  {
    table: 'acme_accounts',
    id: 'id',
    sealed: 'sealed_key',
    owner: 'directory_url',
    contextOf: ({ owner }) => ({ purpose: 'acme-account-key', owner, version: 1 }),
  },
  {
    table: 'link_keys',
    id: 'id',
    sealed: 'sealed',
    owner: 'id',
    contextOf: ({ owner }) => ({ purpose: 'link-signing-key', owner, version: 1 }),
  },
  {
    table: 'webhooks',
    id: 'account',
    sealed: 'sealed_key',
    owner: 'account',
    contextOf: ({ owner }) => ({ purpose: 'webhook-key', owner, version: 1 }),
  },
  {
    table: 'ticket_secrets',
    id: 'id',
    sealed: 'sealed',
    owner: 'id',
    contextOf: ({ owner }) => ({ purpose: 'ticket-secret', owner, version: 1 }),
  },
]

/**
 * One such column. All names are those of the schema. Beside each of them the database itself keeps
 * the id of the master key, in `sealed_with`.
 */
export interface SealedColumn {
  readonly table:
    | 'certificates'
    | 'acme_orders'
    | 'acme_accounts'
    | 'link_keys'
    | 'webhooks'
    | 'ticket_secrets'
  /** What names a row. */
  readonly id: string
  readonly sealed: string
  /** What, with the id, says where the secret belongs. */
  readonly owner: string
  readonly contextOf: (row: { readonly id: string; readonly owner: string }) => SealContext
}

const CERTIFICATE_KEY = { purpose: 'certificate-key', version: 1 } as const
