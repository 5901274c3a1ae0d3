import type { DoctorCheck } from './check.ts'

/** The oldest line that strips types without a flag and has OpenSSL 3.5. */
const NODE_MAJOR_MIN = 24

/** The version of Node that runs us. */
export function runtimeCheck(version = process.versions.node): DoctorCheck {
  return {
    name: 'runtime',
    run: async () => {
      const seen = `Node ${version}`
      if (Number.parseInt(version, 10) >= NODE_MAJOR_MIN) return { verdict: 'ok', seen }
      const fix = `Start it by bin/postern, or install Node ${NODE_MAJOR_MIN} or newer.`
      return { verdict: 'bad', seen, fix }
    },
  }
}
