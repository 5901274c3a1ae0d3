import type { KeyObject } from 'node:crypto'
import type { CertificateStore } from '../certs/index.ts'
import type { ChallengeBook } from '../challenges/index.ts'
import type { Clock, Duration, Hostname, Random } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { AcmeRecord } from '../telemetry/index.ts'
import type { Vault } from '../vault/index.ts'
import type { Account, Accounts } from './account.ts'
import type { AuthorityHealth } from './authority-health.ts'
import type { Brake } from './brake.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import type { ClockGuard } from './clock-guard.ts'
import type { IssueNeed } from './issuer.ts'
import type { Ledger } from './ledger.ts'
import type { OrderRecord, OrderTable } from './order-table.ts'
import type { Learned } from './poll.ts'
import type { AcmeProtocol } from './protocol/protocol.ts'
import type { AcmeSession } from './protocol/session.ts'

/** What issuing needs whatever the CA, for as long as the process lives. */
export interface OfficeDeps {
  readonly orders: OrderTable
  readonly ledger: Ledger
  readonly clockGuard: ClockGuard
  readonly store: Pick<Store, 'db' | 'transaction'>
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly certs: Pick<CertificateStore, 'save' | 'find'>
  readonly challenges: Pick<ChallengeBook, 'show' | 'withdraw'>
  readonly clock: Clock
  readonly random: Random
  readonly record: AcmeRecord
}

/** All that is ours at one CA. */
export interface Desk extends OfficeDeps {
  readonly authority: CertificateAuthority
  readonly accounts: Accounts
  readonly protocol: AcmeProtocol
  /** For orders, and what they need. */
  readonly health: AuthorityHealth
  /** For questions about windows, which may fail where orders do not. */
  readonly questions: AuthorityHealth
  readonly brake: Brake
  readonly learned: Learned
  /** Is there a binding for it in `acme.eab`? */
  readonly hasExternalAccount: boolean
  /** Which of the CA's profiles orders ask for. */
  readonly profile: string | undefined
  readonly term: Duration
}

/** One attempt at one certificate. */
export interface Work {
  readonly need: IssueNeed
  readonly hostname: Hostname
  readonly account: Account
  readonly session: AcmeSession
  readonly signal: AbortSignal
}

/** An order as we wrote it down, with the opened key of its certificate. */
export interface Intention {
  readonly row: OrderRecord
  readonly key: KeyObject
}
