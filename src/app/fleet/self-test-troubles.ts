import type { SelfTestFinding } from '../../edge/index.ts'
import type { EdgeTrouble } from './edge-fleet.ts'

/** What an operator reads of a process that is not served by Node as it relies on. */
export interface SelfTestTroubles {
  /** The node should get no traffic. */
  readonly troubles: readonly EdgeTrouble[]
  /** Visitors are served; some of them slower, or not those of some old client. */
  readonly remarks: readonly EdgeTrouble[]
}

export function toTroubles(findings: readonly SelfTestFinding[]): SelfTestTroubles {
  const told = (weight: SelfTestFinding['weight']): readonly EdgeTrouble[] =>
    findings.filter((finding) => finding.weight === weight).map(toTrouble)
  return { troubles: told('unsafe'), remarks: told('degraded') }
}

function toTrouble({ check, why }: SelfTestFinding): EdgeTrouble {
  return {
    code: `edge/self-test-${check}`,
    sentence: `This runtime does not do as an edge relies on (${check}): ${why}`,
    fix: `Run the release of Node that Postern brings along (\`npm ci\`); this one is ${process.version}.`,
  }
}
