import { createIssuer } from '../acme/index.ts'
import { createApiServer } from '../api/index.ts'
import { createCertificateStore } from '../certs/index.ts'
import { createChallengeBook } from '../challenges/index.ts'
import type { Config } from '../config/index.ts'
import { createHostTable } from '../hosts/index.ts'
import { type Clock, newId, type Random } from '../kernel/index.ts'
import { createLifecycle } from '../lifecycle/index.ts'
import { createResolver } from '../net/index.ts'
import { dataDirectory, openStore } from '../store/index.ts'
import {
  createAcmeRecord,
  createApiRecord,
  createAppRecord,
  createLifecycleRecord,
  createMetrics,
  type Log,
} from '../telemetry/index.ts'
import { createLinkKeys } from '../tracking/index.ts'
import { createVault, type EnvironmentVariables } from '../vault/index.ts'

/** What the program takes from outside besides its configuration. */
export interface Environment {
  readonly clock: Clock
  readonly random: Random
  readonly variables: EnvironmentVariables
}
