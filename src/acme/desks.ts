import { Redacted } from '../kernel/index.ts'
import { createAccounts } from './account.ts'
import type { AccountTable } from './account-table.ts'
import { createAuthorityHealth } from './authority-health.ts'
import type { AuthorityTable } from './authority-table.ts'
import { createBrake } from './brake.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import { certificateAuthoritiesOf, findCertificateAuthority } from './cas/list.ts'
import { withLimits } from './limit-overrides.ts'
import type { AcmeOptions } from './options.ts'
import { settingFor } from './per-ca.ts'
import type { ExternalAccount } from './protocol/jws-engine.ts'
import { createProtocol } from './protocol/protocol.ts'
import type { Transport } from './protocol/transport.ts'
import { createRequestPace } from './request-pace.ts'
import type { Desk, OfficeDeps } from './work.ts'

/** Our desks at all CAs: one each, for as long as the process lives. */
export interface Desks {
  /** Those of `acme.ca`, in order of preference. */
  readonly preferred: readonly Desk[]
  /** By the name or directory of a CA, which may have left `acme.ca`; `undefined`: it is none. */
  named(ca: string): Desk | undefined
  /** Where this account is ours; `undefined`: nowhere. */
  ofAccount(accountId: string): Promise<Desk | undefined>
}

export interface DesksDeps extends OfficeDeps {
  readonly transport: Transport
  readonly accountTable: AccountTable
  readonly authorityTable: AuthorityTable
  /** Ends what no other signal ends. */
  readonly closing: AbortSignal
}

export function createDesks(deps: DesksDeps, options: AcmeOptions): Desks {
  const { accountTable } = deps
  const authorities = certificateAuthoritiesOf(options.ca)
  const bareFor = {
    eab: whoNeedsExternalAccount(authorities)?.name,
    profile: authorities[0]?.name,
  }
  const open = (authority: CertificateAuthority): Desk =>
    openDesk({ ...deps, authority: withLimits(authority, options.limits) }, { options, bareFor })
  const preferred = authorities.map(open)
  const deskByName = new Map(preferred.map((desk) => [desk.authority.name, desk]))

  const named = (ca: string): Desk | undefined => {
    const authority = findCertificateAuthority(ca)
    if (!authority) return undefined
    const desk = deskByName.get(authority.name) ?? open(authority)
    deskByName.set(authority.name, desk)
    return desk
  }
  return {
    preferred,
    named,
    ofAccount: async (accountId) => {
      // One for each CA that was ever used.
      const account = (await accountTable.all()).find(({ id }) => id === accountId)
      return account && named(account.directoryUrl)
    },
  }
}

/** Whose binding it is, if `acme.eab` does not say. */
function whoNeedsExternalAccount(
  authorities: readonly CertificateAuthority[],
): CertificateAuthority | undefined {
  const first = (wanted: CertificateAuthority['externalAccount']) =>
    authorities.find(({ externalAccount }) => externalAccount === wanted)
  return first('required') ?? first('unknown') ?? authorities[0]
}

interface DeskOptions {
  readonly options: AcmeOptions
  readonly bareFor: { readonly eab: string | undefined; readonly profile: string | undefined }
}

function openDesk(
  deps: DesksDeps & { readonly authority: CertificateAuthority },
  { options, bareFor }: DeskOptions,
): Desk {
  const { authority, transport, accountTable, authorityTable, closing, ...office } = deps
  const { clock, record, clockGuard } = office
  const { name, directoryUrl, limits, validationMs } = authority
  const externalAccount = toExternalAccount(settingFor(options.eab, authority, bareFor.eab))
  const pace = createRequestPace(limits.requests, { clock })
  const onClock = (caDate: Date): void => clockGuard.note(name, caDate)
  const healthDeps = { table: authorityTable, clock, record }
  const protocol = createProtocol(
    { transport, clock, record, pace, onClock, closing },
    { directoryUrl, externalAccount },
  )
  return {
    ...office,
    authority,
    protocol,
    accounts: createAccounts(
      { ...office, table: accountTable, protocol },
      { authority, options, externalAccount },
    ),
    health: createAuthorityHealth(healthDeps, { ca: name }),
    questions: createAuthorityHealth(healthDeps, { ca: `${name} renewal-info` }),
    brake: createBrake(office),
    learned: {
      validation: { firstMs: validationMs },
      issuance: { firstMs: validationMs / 2 },
      refusesNotAfter: false,
    },
    hasExternalAccount: externalAccount !== undefined,
    profile: settingFor(options.profile, authority, bareFor.profile),
    term: options.term,
  }
}

function toExternalAccount(binding: string | undefined): ExternalAccount | undefined {
  if (binding === undefined) return undefined
  const cut = binding.indexOf(':')
  return { keyId: binding.slice(0, cut), hmacKey: new Redacted(binding.slice(cut + 1)) }
}
