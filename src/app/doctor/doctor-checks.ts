import type { Config } from '../../config/index.ts'
import { createResolver } from '../../net/index.ts'
import type { Environment } from '../app.ts'
import { createWithCas } from './ask-ca.ts'
import { authorityChecks } from './authority-checks.ts'
import type { DoctorCheck } from './check.ts'
import { dataDirectoryCheck } from './data-directory.ts'
import { edgeNameCheck } from './edge-name.ts'
import { keyCheck } from './key-check.ts'
import { portChecks } from './port-checks.ts'
import { findRunningServer } from './running-server.ts'
import { runtimeCheck } from './runtime.ts'
import { accountUrlsOf, serverChecks } from './server-checks.ts'
import { storeCheck } from './store-check.ts'

/** All that `postern doctor` looks at, from this machine outwards. */
export function doctorChecks(config: Config, outside: Environment): readonly DoctorCheck[] {
  const deps = { ...outside, config }
  const resolver = createResolver(config.net)
  const findServer = () => findRunningServer({ store: config.store, fetch })
  return [
    runtimeCheck(),
    dataDirectoryCheck(deps),
    storeCheck(deps),
    keyCheck(deps),
    ...portChecks(deps, findServer),
    edgeNameCheck({ name: config.edge.name, resolver }),
    ...authorityChecks(
      {
        ...{ clock: outside.clock, resolver, withCas: createWithCas(deps) },
        accountUrls: (signal) => accountUrlsOf(findServer, signal),
      },
      config,
    ),
    ...serverChecks(findServer),
  ]
}
