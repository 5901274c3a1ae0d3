import type { KeyObject } from 'node:crypto'
import type { CertificateStore } from '../certs/index.ts'
import type { ChallengeBook } from '../challenges/index.ts'
import type { Clock, Hostname, Random } from '../kernel/index.ts'
import type { Store } from '../store/index.ts'
import type { AcmeRecord } from '../telemetry/index.ts'
import type { Vault } from '../vault/index.ts'
import type { Account, Accounts } from './account.ts'
import type { Brake } from './brake.ts'
import type { CertificateAuthority } from './cas/certificate-authority.ts'
import type { AcmeOptions } from './options.ts'
import type { OrderRecord, OrderTable } from './order-table.ts'
import type { Learned } from './poll.ts'
import type { AcmeProtocol } from './protocol/protocol.ts'
import type { AcmeSession } from './protocol/session.ts'

/** What issuing needs, for as long as the process lives. */
export interface IssueDeps {
  readonly accounts: Accounts
  readonly protocol: AcmeProtocol
  readonly orders: OrderTable
  readonly store: Pick<Store, 'transaction'>
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly certs: Pick<CertificateStore, 'save' | 'find'>
  readonly challenges: Pick<ChallengeBook, 'show' | 'withdraw'>
  readonly clock: Clock
  readonly random: Random
  readonly record: AcmeRecord
  readonly authority: CertificateAuthority
  readonly options: Pick<AcmeOptions, 'profile' | 'term'>
  readonly learned: Learned
  readonly brake: Brake
}

/** One attempt at one certificate. */
export interface Work {
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
