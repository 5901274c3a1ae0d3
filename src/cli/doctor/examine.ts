import { AppError, bounded } from '../../kernel/index.ts'
import type { DoctorCheck, Finding } from './doctor-check.ts'

/** A check that takes longer has found something: nobody answers. */
const CHECK_MS_MAX = 15_000
const CHECKS_AT_ONCE = 4

export interface Examined {
  readonly name: string
  readonly finding: Finding
}

/** Runs all checks, a few at a time, and returns what they found in their own order. */
export async function examine(
  checks: readonly DoctorCheck[],
  signal: AbortSignal,
): Promise<readonly Examined[]> {
  const findings = new Map<string, Finding>()
  await bounded(checks, CHECKS_AT_ONCE, async (check) => {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(CHECK_MS_MAX)])
    findings.set(check.name, await runOne(check, deadline))
  })
  return checks.flatMap(({ name }) => {
    const finding = findings.get(name)
    return finding ? [{ name, finding }] : []
  })
}

async function runOne(check: DoctorCheck, signal: AbortSignal): Promise<Finding> {
  try {
    return await check.run(signal)
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error)
    const fix = error instanceof AppError ? error.fix : undefined
    return { verdict: 'bad', seen, fix: fix ?? 'Look into what this check reports.' }
  }
}
