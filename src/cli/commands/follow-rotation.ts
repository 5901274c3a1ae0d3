import {
  keyStatusSchema,
  type WireKeyRotation,
  type WireKeyStatus,
} from '../../api/native/contract.ts'
import type { ApiClient } from '../client/api-client.ts'
import type { CommandContext } from '../command-context.ts'
import { CliError } from '../errors.ts'
import { printable } from '../output/printable.ts'
import { toProgressBar } from '../output/progress-bar.ts'
import type { Terminal } from '../output/terminal.ts'

export interface FollowRotationDeps {
  /** Finds the server anew: after a restart it may listen elsewhere. */
  readonly open: () => Promise<ApiClient>
  readonly ports: Pick<CommandContext['ports'], 'clock' | 'signal'>
  readonly terminal: Terminal
  /** Each step, once. */
  readonly tell: (rotation: WireKeyRotation) => void
}

const LOOK_EVERY_MS = 250
/** A server that is restarted comes back, and goes on. */
const AWAY_MS_MAX = 60_000

/** Follows a rotation to its end, over restarts of the server. Ctrl-C ends only the following. */
export async function followRotation(
  deps: FollowRotationDeps,
  first: WireKeyStatus,
): Promise<WireKeyStatus> {
  const { ports, terminal } = deps
  let seen = first
  tellStep(deps, undefined, first)
  try {
    return await terminal.progress(
      () => rotationToLine(seen),
      async () => {
        while (seen.rotation?.finishedAt === null) {
          await ports.clock.sleep(LOOK_EVERY_MS, ports.signal)
          const next = await lookAgain(deps)
          tellStep(deps, seen, next)
          seen = next
        }
        return seen
      },
    )
  } catch (error) {
    terminal.note('The rotation goes on in the server; how far: postern key status\n')
    throw error
  }
}

/** What has changed since; nobody needs to hear the same twice. */
function tellStep(
  { tell, terminal }: FollowRotationDeps,
  { rotation: before }: Partial<WireKeyStatus> = {},
  { rotation: now }: WireKeyStatus,
): void {
  if (!now || JSON.stringify(now) === JSON.stringify(before)) return
  tell(now)
  if (now.waitsFor !== null && now.waitsFor !== before?.waitsFor) {
    terminal.note(`It waits: ${printable(now.waitsFor)}\n`)
  }
}

async function lookAgain({ open, ports }: FollowRotationDeps): Promise<WireKeyStatus> {
  const { clock, signal } = ports
  for (const fromMs = clock.monotonicMs(); ; ) {
    try {
      return await (await open()).call({ path: '/keys', answer: keyStatusSchema })
    } catch (error) {
      if (!isAway(error) || clock.monotonicMs() - fromMs > AWAY_MS_MAX) throw error
      await clock.sleep(LOOK_EVERY_MS, signal)
    }
  }
}

function isAway(error: unknown): boolean {
  return error instanceof CliError && error.code === 'cli/unreachable'
}

function rotationToLine({ rotation }: WireKeyStatus): string {
  if (!rotation) return 'Moving secrets'
  const { done, total, left } = rotation
  return left === 0
    ? 'All secrets are moved; making sure that none is on its way'
    : `Moving secrets ${toProgressBar({ done, total })}`
}
