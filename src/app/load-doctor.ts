import type { Config } from '../config/index.ts'
import type { Environment } from './app.ts'
import type { DoctorCheck } from './doctor/check.ts'

/** What `postern doctor` looks at; loaded only for it, because it brings the CA's client along. */
export async function loadDoctorChecks(
  config: Config,
  outside: Environment,
): Promise<readonly DoctorCheck[]> {
  const { doctorChecks } = await import('./doctor/doctor-checks.ts')
  return doctorChecks(config, outside)
}
