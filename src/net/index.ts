/**
 * net: the outside world made safe. Reads certificates, says how we talk TLS, asks DNS and probes
 * addresses. Decides nothing about hosts and keeps nothing.
 */

export { isCloudflareAddress, isPrivateAddress, sameAddress } from './addresses.ts'
export { NetError, type NetErrorCode } from './errors.ts'
export {
  createGuardedFetch,
  type FetchFailure,
  type GuardedAnswer,
  type GuardedFetch,
  type GuardedRequest,
} from './guarded-fetch.ts'
export type { NetOptions } from './options.ts'
export { toPrintable } from './printable.ts'
export {
  type ChallengeFetch,
  type FetchChallenge,
  fetchChallenge,
  type ProbeAnswer,
  type ProbeFailure,
} from './probe.ts'
export { type CaaRecord, createResolver, type DnsAnswer, type Resolver } from './resolver.ts'
export { type ProbeTls, probeTls, type TlsProbe, type TlsSight } from './tls-probe.ts'
export { contextCiphers, type ServerTlsProfile, serverTlsOptions } from './tls-profile.ts'
export {
  issuerName,
  type KeyType,
  keyTypeOf,
  parseChain,
  sanHolds,
  sanNames,
  subjectName,
} from './x509.ts'
